// Links into the dashboard of deploy/grafana, if SLUICE_GRAFANA_URL says where Grafana is.
import { session } from "../session.js";
import { html } from "./html.js";

/** `fromMs` and `toMs` are Unix ms; without them the last hour. */
export function Grafana({ about, region, sale, fromMs, toMs }) {
  const base = session.get().me?.grafana;
  if (!base) return null;
  const wanted = { "var-region": region, "var-sale": sale };
  const query = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value));
  query.set("from", String(fromMs ?? "now-1h"));
  query.set("to", String(toMs ?? "now"));
  return html`<a class="grafana" href="${base}/d/sluice?${query}" target="_blank"
    rel="noopener noreferrer">Grafana<span class="hidden">: ${about}, in a new tab</span></a>`;
}
