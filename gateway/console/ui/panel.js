// A part of a page that stands alone: if it cannot be known or drawn, it says so and keeps what it
// showed last, greyed and with its age. The others go on.
import { duration } from "./format.js";
import { Component, html } from "./html.js";

export class Panel extends Component {
  /** What was drawn last without a mistake. */
  good;
  failed;

  static getDerivedStateFromProps({ known }, state) {
    return known === state.known ? null : { known, error: undefined };
  }

  componentDidCatch(error) {
    // Several parts of a view may fail at one drawing. Where what was fine before fails as well,
    // nothing is left to show.
    if (this.state.error) this.good = undefined;
    this.failed = this.props.known;
    this.setState({ error });
  }

  componentDidUpdate() {
    this.keep();
  }

  componentDidMount() {
    this.keep();
  }

  keep() {
    const { known } = this.props;
    if (this.failed !== known && known.value !== undefined) this.good = known;
  }

  render({ id, title, known, view: View, actions, level = 2, note, ...rest }, { error }) {
    const shown = error ? this.good : known;
    const why = error ? `it could not be drawn (${error.message})` : known.why;
    const Heading = `h${level}`;
    const value = shown?.value;
    // What a failed drawing has left half done is not built upon.
    const key = error ? "again" : "drawn";
    return html`<section id=${id} class="panel" aria-labelledby="${id}-title">
      <header>
        <${Heading} id="${id}-title">${title}</${Heading}>
        ${note && html`<p class="dim">${note}</p>`}
        ${known.asked && why === "" && html`<${ReadAt} atMs=${known.atMs} />`}
        ${actions && html`<div class="actions">${actions}</div>`}
      </header>
      ${why !== "" && html`<${Stale} known=${shown} why=${why} />`}
      ${
        value !== undefined &&
        html`<div class=${why === "" ? "" : "stale"}>
        <${View} key=${key} value=${value} stale=${why !== ""} ...${rest} />
      </div>`
      }
    </section>`;
  }
}

/** What is read once is as old as that, however long the page is open. */
function ReadAt({ atMs }) {
  const seconds = Math.round((performance.now() - atMs) / 1_000);
  const words = seconds < 5 ? "read just now" : `read ${duration(seconds * 1_000)} ago`;
  return html`<p class="dim read-at">${words}</p>`;
}

function Stale({ known, why }) {
  if (why === "no answer yet") return html`<p class="dim">Loading…</p>`;
  if (known?.value === undefined)
    return html`<p class="unknown">
      <b>${known?.asked ? "Cannot be shown" : "Unknown"}</b>: ${why}.</p>`;
  const age = duration(performance.now() - known.atMs);
  return html`<p class="unknown"><b>Last known values, ${age} old</b>: ${why}.</p>`;
}
