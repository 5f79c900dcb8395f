// The style of pages with little to draw: the HTTP API (docs-page.ts) and the start page.

export const STYLE = `
:root {
  color-scheme: light dark;
  --ground: light-dark(#f6f6f3, #0e1316); --surface: light-dark(#fff, #161d21);
  --raised: light-dark(#eef0ee, #1f282d); --line: light-dark(#d9dddb, #2c373d);
  --ink: light-dark(#152026, #e8edef); --dim: light-dark(#53616a, #9fadb5);
  --accent: light-dark(#0a6570, #55c4cc); --on-accent: light-dark(#fff, #06191c);
  --ok: light-dark(#15693f, #63c98f); --notice: light-dark(#36568c, #8fb3ef);
  --warning: light-dark(#855000, #e7b152); --trouble: light-dark(#a8241c, #ff9188);
  --mono: ui-monospace, "SF Mono", Menlo, Consolas, monospace
}
* { box-sizing: border-box }
body {
  background: var(--ground); color: var(--ink); margin: 0 auto; max-width: 60rem;
  font: 15px/1.5 "Inter", system-ui, "Segoe UI", sans-serif; padding: 2rem 1rem 6rem
}
h1 { margin: 0 0 .3em; font-size: 1.75rem; line-height: 1.2; letter-spacing: -.02em }
h2 { margin: 2.8rem 0 .2rem; font-size: 1.35rem; letter-spacing: -.01em; scroll-margin-top: 1rem }
h3 { font-size: 1rem; margin: 1.3rem 0 .4rem }
a { color: var(--accent); text-underline-offset: .2em }
code, pre, textarea { font-family: var(--mono); font-size: .88em }
details {
  background: var(--surface); border: 1px solid var(--line); border-radius: 8px;
  margin-top: .45rem; padding: 0 .9rem; scroll-margin-top: 1rem
}
details[open] { padding-bottom: 1.1rem }
summary {
  cursor: pointer; display: grid; gap: .2rem .6rem; align-items: baseline; list-style: none;
  grid-template-columns: 4.2rem minmax(0, 1.1fr) minmax(0, 1fr); padding: .55rem 0
}
summary::-webkit-details-marker { display: none }
summary > code:first-child { grid-column: 1 / -1 }
summary > span:last-child { color: var(--dim) }
details[open] > summary { border-bottom: 1px solid var(--line); margin-bottom: .9rem }
details:not([open]):hover { background: var(--raised) }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 4px }
summary code { font-weight: 600; overflow-wrap: anywhere }
.method { font: 650 .78rem/1.9 var(--mono); color: var(--notice) }
.method.post, .method.put { color: var(--ok) } .method.delete { color: var(--trouble) }
.dim { color: var(--dim) }
pre {
  overflow: auto; padding: .8rem; border: 1px solid var(--line); border-radius: 6px;
  max-height: 30rem; background: var(--ground); margin: .5rem 0
}
table { border-collapse: collapse; width: 100% }
td {
  border-top: 1px solid var(--line); padding: .35rem .8rem .35rem 0; vertical-align: top;
  overflow-wrap: break-word
}
td:last-child { overflow-wrap: anywhere; width: 82% }
td pre { white-space: pre-wrap; overflow-wrap: anywhere }
.s2 { color: var(--ok) } .s4 { color: var(--warning) } .s5 { color: var(--trouble) }
[hidden] { display: none !important }
nav ul { list-style: none; padding: 0; margin: 0 0 1.1rem }
nav li a { display: block; border-radius: 6px; padding: .2rem .5rem; font-size: .9rem }
nav li a:hover { background: var(--raised) }
nav h2 { font-size: .93rem; margin: 0; letter-spacing: 0 } nav h2 a { padding: 0 .5rem }
nav a { color: var(--ink); text-decoration: none } nav h2 a:hover { text-decoration: underline }
input, textarea, select, button {
  font: inherit; color: inherit; background: var(--surface); border-radius: 6px; max-width: 100%;
  border: 1px solid color-mix(in srgb, var(--dim) 65%, transparent); padding: .4rem .7rem
}
textarea { width: 100%; font: .88em/1.5 var(--mono) }
button { cursor: pointer; font-weight: 600; margin: .6rem .6rem .2rem 0 }
button:hover { border-color: var(--ink) }
button[type="submit"], .try button:first-of-type {
  background: var(--accent); border-color: var(--accent); color: var(--on-accent)
}
.token {
  display: grid; grid-template-columns: 8.5rem minmax(0, 26rem); gap: .5rem .9rem;
  align-items: center; margin-top: 1.3rem; padding: 1rem 1.2rem; border-radius: 10px;
  background: var(--surface); border: 1px solid var(--line)
}
.token p code { white-space: nowrap }
.token p { grid-column: 1 / -1; margin: 0; font-size: .9rem }
.try { margin-top: 1.4rem; padding-top: .2rem; border-top: 2px solid var(--ink) }
.fields { display: grid; gap: .6rem; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)) }
.try > label, .fields label, .token label { display: block; font-weight: 600 }
.fields input, .fields select { width: 100%; display: block; font-weight: 400 }
@media (max-width: 58rem) {
  nav ul { display: none } nav h2 { display: inline-block; margin-right: .4rem }
  nav h2 a { padding: 0; text-decoration: underline }
  nav { border-bottom: 1px solid var(--line); padding-bottom: 1rem; margin-bottom: 1.5rem }
  summary { grid-template-columns: 4.2rem minmax(0, 1fr) }
  summary > span:last-child:not(:only-child) { grid-column: 1 / -1 }
  .token { grid-template-columns: minmax(0, 1fr) }
}
@media (min-width: 58rem) {
  .docs {
    display: grid; grid-template-columns: 19rem minmax(0, 68rem); max-width: none; padding: 0;
    align-items: start
  }
  .docs main { padding: 2rem clamp(1rem, 4vw, 4rem) 8rem }
  nav {
    position: sticky; top: 0; height: 100vh; overflow: auto; padding: 1.5rem 1rem 3rem;
    background: var(--surface); border-right: 1px solid var(--line)
  }
}
`;
