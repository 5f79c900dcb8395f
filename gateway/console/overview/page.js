// The overview: what is wrong, the sale, and the orders' way through the system.
import { html } from "../ui/html.js";
import { Panel } from "../ui/panel.js";
import { Charts } from "./charts.js";
import { Flow } from "./flow.js";
import { Rates } from "./rates.js";
import { Sale } from "./sale.js";
import { Verdict } from "./verdict.js";

export function OverviewPage({ known }) {
  return html`<${Verdict} known=${known.verdict} />
    <${Panel} id="sale" title="The sale" known=${known.sales} view=${Sale}
      revenue=${known.revenue} />
    <${Panel} id="rates" title="Orders per second" known=${known.orders} view=${Rates}
      waits=${known.waits} />
    <${Panel} id="flow" title="An order's path" known=${known.flow} view=${Flow}
      note="What passes each step per second, and how long it waits there." />
    <${Charts} known=${known} />`;
}
