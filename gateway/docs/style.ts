// The style of pages with little to draw: the HTTP API (docs-page.ts) and the start page.

export const STYLE = `
:root {
  color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent);
  --dim: color-mix(in srgb, currentColor 70%, transparent);
  --soft: color-mix(in srgb, currentColor 5%, transparent)
}
body {
  background: Canvas; color: CanvasText;
  font: 16px/1.55 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 2rem 1rem 6rem
}
h1 { margin-bottom: .2em } h2 { margin-top: 3rem; border-bottom: 1px solid var(--line) }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem }
td pre { white-space: pre-wrap; overflow-wrap: anywhere }
details { border: 1px solid var(--line); border-radius: 6px; margin: .5rem 0; padding: .4rem .8rem }
summary { cursor: pointer; display: flex; gap: .8rem; flex-wrap: wrap }
:focus-visible { outline: 2px solid; outline-offset: 2px }
summary code { font-weight: 600; overflow-wrap: anywhere }
.method { min-width: 3.5rem; font-weight: 700 } .dim { color: var(--dim) }
pre {
  overflow-x: auto; padding: .8rem; border: 1px solid var(--line); border-radius: 6px;
  font-size: .85rem; max-height: 30rem
}
table { border-collapse: collapse; width: 100% }
td {
  border-top: 1px solid var(--line); padding: .3rem .6rem .3rem 0; vertical-align: top;
  overflow-wrap: anywhere
}
.docs { max-width: 82rem } [hidden] { display: none !important }
nav ul { list-style: none; padding: 0; margin: 0 0 1rem } nav li a { display: block }
nav h2 { font-size: 1rem; margin: 0; border: 0 }
nav a { text-decoration: none; padding: .1rem 0 } nav a:hover { text-decoration: underline }
input, textarea, select, button {
  font: inherit; color: inherit; background: transparent; box-sizing: border-box;
  border: 1px solid var(--dim); border-radius: 6px; padding: .35rem .6rem; max-width: 100%
}
select option { color: CanvasText; background: Canvas }
textarea { width: 100%; font: .85rem/1.5 ui-monospace, monospace }
button { cursor: pointer; font-weight: 600; margin: .4rem .6rem .4rem 0 }
.token { margin: 1.2rem 0; padding: .8rem; border-radius: 6px; background: var(--soft) }
.token input { width: 100% }
.try { margin-top: 1.2rem; padding: .4rem .8rem .8rem; border-radius: 6px; background: var(--soft) }
.fields { display: grid; gap: .6rem; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)) }
.try > label, .fields label, .token label { display: block; font-weight: 600 }
.fields input, .fields select { width: 100%; display: block; font-weight: 400 }
@media (max-width: 58rem) {
  nav ul { display: none } nav h2 { display: inline-block; margin-right: 1rem }
}
@media (min-width: 58rem) {
  .docs { display: grid; grid-template-columns: 17rem minmax(0, 1fr); gap: 2.5rem }
  nav { position: sticky; top: 0; max-height: 100vh; overflow: auto; padding: 1rem .5rem 2rem 0;
    font-size: .9rem; align-self: start; box-sizing: border-box }
}
`;
