// Dead letters: listed, shown with all they carry, sent again, dropped.
import { el, say, table } from "./dom.js";

/** Looked at less often than the rest: a look asks the brokers. */
const EVERY_MS = 5_000;

export function deadLetters(call) {
  const dialog = document.querySelector("#letter");
  let shown;

  const act = async (path, body, done) => {
    const answer = await call("POST", path, body);
    if (!answer.ok) return say(answer.problem);
    const { matched, done: n, left } = answer.value;
    say(left.length > 0 ? `${n} of ${matched} ${done}; left: ${left[0].why}` : `${n} ${done}`);
    dialog.close();
    await look();
  };
  const show = async (id) => {
    const { ok, value, problem } = await call("GET", `/v1/admin/dead/${encodeURIComponent(id)}`);
    if (!ok) return say(problem);
    shown = id;
    const { body, ...rest } = value;
    const rows = Object.entries(rest).flatMap(([key, v]) => [
      el("dt", {}, key),
      el("dd", {}, typeof v === "string" ? v : JSON.stringify(v)),
    ]);
    dialog.querySelector("dl").replaceChildren(...rows);
    dialog.querySelector("pre").textContent = typeof body === "string" ? body : JSON.stringify(body, null, 2);
    dropButton.textContent = "Drop";
    dialog.showModal();
  };
  const look = async () => {
    const { ok, value, problem } = await call("GET", "/v1/admin/dead?limit=100");
    const rows = ok
      ? value.letters.map((l) => [
          l.queue,
          l.region ?? "",
          l.reason ?? "",
          el("button", { type: "button", onclick: () => show(l.id) }, "Show"),
        ])
      : [];
    table("dead", [["queue"], ["region"], ["reason", "text"], [""]], rows, ok ? "None" : problem);
    document.querySelector("#redrive-all").disabled = rows.length === 0;
  };

  const dropButton = document.querySelector("#letter-drop");
  document.querySelector("#letter-close").addEventListener("click", () => dialog.close());
  document
    .querySelector("#letter-redrive")
    .addEventListener("click", () => act(`/v1/admin/dead/${encodeURIComponent(shown)}/redrive`, {}, "sent again"));
  // Dropping is for good: the second click does it.
  dropButton.addEventListener("click", () => {
    if (dropButton.textContent === "Drop") dropButton.textContent = "Drop for good?";
    else act(`/v1/admin/dead/${encodeURIComponent(shown)}/drop`, {}, "dropped");
  });
  document.querySelector("#redrive-all").addEventListener("click", () => act("/v1/admin/dead/redrive", { all: true }, "sent again"));
  let next = 0;
  return () => {
    if (performance.now() < next) return;
    next = performance.now() + EVERY_MS;
    look();
  };
}
