// Dark or light: as the system has it, unless the reader has chosen.
const KEY = "sluice-theme";
const NEXT = { system: "light", light: "dark", dark: "system" };

/** A browser that keeps nothing refuses even to be asked. */
function kept(theme) {
  try {
    if (theme) localStorage.setItem(KEY, theme);
    return localStorage.getItem(KEY);
  } catch {
    return theme;
  }
}

export function themeNow() {
  const theme = kept();
  return theme in NEXT ? theme : "system";
}

export function applyTheme(theme = themeNow()) {
  const { dataset } = document.documentElement;
  if (theme === "system") delete dataset.theme;
  else dataset.theme = theme;
  kept(theme);
}

export function nextTheme() {
  const theme = NEXT[themeNow()];
  applyTheme(theme);
  return theme;
}

applyTheme();
