// The sign of the product: a gate in the water.
import { html } from "./ui/html.js";

export const Mark = () => html`<svg class="mark" viewBox="0 0 28 28" aria-hidden="true">
  <path d="M3 4v20M25 4v20M8 4v9M14 4v6M20 4v9" />
  <path class="water" d="M3 19c4-3 7 3 11 0s7-3 11 0" />
</svg>`;
