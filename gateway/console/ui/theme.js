// Dark or light: as the system has it, unless the reader has chosen.
const KEY = "sluice-theme";
const NEXT = { system: "light", light: "dark", dark: "system" };

export function themeNow() {
  const kept = localStorage.getItem(KEY);
  return kept in NEXT ? kept : "system";
}

export function applyTheme(theme = themeNow()) {
  const { dataset } = document.documentElement;
  if (theme === "system") delete dataset.theme;
  else dataset.theme = theme;
  localStorage.setItem(KEY, theme);
}

export function nextTheme() {
  const theme = NEXT[themeNow()];
  applyTheme(theme);
  return theme;
}

applyTheme();
