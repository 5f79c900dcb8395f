// Dead letters: listed, filtered by queue and reason, shown in full, redriven, dropped.
import { confirmed, el, say, table } from "./dom.js";

export function deadLetters(call) {
  const $ = (selector) => document.querySelector(selector);
  const dialog = $("#letter");
  let shown;
  let counted;

  /** The filter in the two fields; empty: every letter. */
  const filter = () => {
    const [queue, reason] = [$("#dead-queue").value, $("#dead-reason").value.trim()];
    return { ...(queue ? { queue } : {}), ...(reason ? { reason } : {}) };
  };
  const act = async (path, body, done) => {
    const answer = await call("POST", path, body);
    if (!answer.ok) return say(answer.problem);
    const { matched, done: n, left } = answer.value;
    say(left.length > 0 ? `${n} of ${matched} ${done}; not done: ${left[0].why}` : `${n} ${done}`);
    dialog.close();
    await look();
  };
  const actOnThese = (what, done) => {
    const these = filter();
    return act(
      `/v1/admin/dead/${what}`,
      Object.keys(these).length > 0 ? these : { all: true },
      done,
    );
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
    dialog.querySelector("pre").textContent =
      typeof body === "string" ? body : JSON.stringify(body, null, 2);
    dialog.showModal();
  };
  const look = async () => {
    const { ok, value, problem } = await call(
      "GET",
      `/v1/admin/dead?${new URLSearchParams({ limit: "100", ...filter() })}`,
    );
    const rows = ok
      ? value.letters.map((l) => [
          l.queue,
          l.region ?? "",
          l.reason ?? "",
          el(
            "button",
            { type: "button", "data-key": `show ${l.id}`, onclick: () => show(l.id) },
            "Show",
          ),
        ])
      : [];
    table(
      "dead",
      [["queue"], ["region"], ["reason", "text"], [""]],
      rows,
      ok ? "No dead letters" : problem,
    );
    for (const id of ["#redrive-these", "#drop-these"]) $(id).disabled = rows.length === 0;
  };

  $("#letter-close").addEventListener("click", () => dialog.close());
  $("#letter-redrive").addEventListener("click", () =>
    act(`/v1/admin/dead/${encodeURIComponent(shown)}/redrive`, {}, "redriven"),
  );
  confirmed($("#letter-drop"), "Drop for good?", () =>
    act(`/v1/admin/dead/${encodeURIComponent(shown)}/drop`, {}, "dropped"),
  );
  confirmed($("#redrive-these"), "Redrive all matching?", () => actOnThese("redrive", "redriven"));
  confirmed($("#drop-these"), "Drop all matching for good?", () => actOnThese("drop", "dropped"));
  for (const id of ["#dead-queue", "#dead-reason"]) $(id).addEventListener("change", look);

  /** Lists the letters only when their number has changed: each listing is audited. */
  return (dead) => {
    const now = JSON.stringify(dead);
    if (now === counted) return;
    counted = now;
    look();
  };
}
