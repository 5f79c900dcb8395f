// Positions on an axis: linear from zero, or logarithmic.
export interface Scale {
  /** Position of a value, from 0 to 1 within the domain. */
  at(value: number): number;
  readonly ticks: readonly number[];
}

/** Multiples of a power of ten that read well. */
const STEPS = [1, 2, 5, 10] as const;
const MAX_TICKS = 6;
const MAX_LOG_TICKS = 9;

/** From zero to at least `max`, which may be zero. */
export function linearScale(max: number, mostTicks = MAX_TICKS): Scale {
  const top = max > 0 ? max : 1;
  const rough = top / (mostTicks - 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = (STEPS.find((multiple) => multiple * power >= rough) ?? 10) * power;
  const count = Math.ceil(top / step);
  const end = count * step;
  return {
    at: (value) => value / end,
    ticks: Array.from({ length: count + 1 }, (_, i) => i * step),
  };
}

/** Covers `min` to `max`, both above zero. Its ends are ticks. */
export function logScale(min: number, max: number, mostTicks = MAX_LOG_TICKS): Scale {
  const [low, high] = [below(min), above(Math.max(max, min * 1.01))];
  const span = Math.log10(high / low);
  const all = multiples(low, high, [1, 2, 5]);
  const ticks = all.length <= mostTicks ? all : multiples(low, high, [1]);
  return { at: (value) => Math.log10(Math.max(value, low) / low) / span, ticks };
}

/** Exactly from `min` to `max`, with ticks at these values. */
export function logScaleAt(ticks: readonly number[]): Scale {
  const [min, max] = [Math.min(...ticks), Math.max(...ticks)];
  const span = Math.log10(max / min) || 1;
  return { at: (value) => Math.log10(value / min) / span, ticks };
}

function multiples(low: number, high: number, of: readonly number[]): number[] {
  const found: number[] = [];
  for (let power = 10 ** Math.floor(Math.log10(low)); power <= high * 1.001; power *= 10)
    for (const multiple of of) {
      const value = multiple * power;
      if (value >= low * 0.999 && value <= high * 1.001) found.push(value);
    }
  return found;
}

function below(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return ([5, 2].find((multiple) => multiple * power <= value) ?? 1) * power;
}

function above(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5].find((multiple) => multiple * power >= value) ?? 10) * power;
}
