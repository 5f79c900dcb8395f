// Replaces methods for the rest of a test, so that a process blocks or fails where the test wants.

/** The function that restores a method goes to `undo`. */
export function patch<T extends object, K extends keyof T>(
  undo: (() => unknown)[],
  target: T,
  name: K,
  make: (real: T[K]) => T[K],
): void {
  const real = target[name];
  target[name] = make(real);
  undo.push(() => {
    target[name] = real;
  });
}
