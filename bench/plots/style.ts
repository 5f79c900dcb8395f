// Colours and text of the plots. A plot is an image of its own: it follows the reader's colour
// scheme by itself, and brings its background, since the page around it may not.

/** Line colours: light background, dark background. Told apart with a colour vision deficiency. */
const TONES = {
  ink: ["#1f2328", "#f0f3f6"],
  blue: ["#0b6bcb", "#6cb6ff"],
  orange: ["#bf5a00", "#f0a35e"],
  red: ["#b3234b", "#ff8fa8"],
  teal: ["#0b7d68", "#56d4b5"],
  violet: ["#6f42c1", "#c4a7f7"],
  grey: ["#8b949e", "#7d8590"],
} as const;
export type Tone = keyof typeof TONES;

const PAGE = { surface: ["#ffffff", "#12161c"], faint: ["#e7eaee", "#272d36"] } as const;
const TEXT = { soft: ["#59636e", "#9aa4b0"] } as const;

export const STYLE = `
text { font: 12px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; }
.title { font-size: 15px; font-weight: 600; }
.panel { font-weight: 600; }
.end { font-size: 12px; font-weight: 500; }
.halo { paint-order: stroke; stroke-width: 4; stroke-linejoin: round; }
.line { fill: none; stroke-width: 1.75; stroke-linejoin: round; stroke-linecap: round; }
.bold { stroke-width: 3; }
.dashed { stroke-dasharray: 5 4; }
.lead { stroke-width: 1; opacity: 0.5; }
.grid, .axis { stroke-width: 1; }
${scheme(0)}
@media (prefers-color-scheme: dark) {
${scheme(1)}
}
`;

function scheme(at: 0 | 1): string {
  const tones = Object.entries(TONES).map(
    ([name, colours]) =>
      `.${name} { stroke: ${colours[at]}; } ` +
      `text.${name}, .dot.${name} { fill: ${colours[at]}; stroke: none; }`,
  );
  return [
    `.surface { fill: ${PAGE.surface[at]}; stroke: ${PAGE.faint[at]}; }`,
    `.grid { stroke: ${PAGE.faint[at]}; } .axis { stroke: ${TEXT.soft[at]}; }`,
    `text { fill: ${TONES.ink[at]}; } text.soft { fill: ${TEXT.soft[at]}; }`,
    ...tones,
    `text.halo { stroke: ${PAGE.surface[at]}; }`,
  ].join("\n");
}
