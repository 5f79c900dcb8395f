// A gateway whose port is taken says so in a sentence that names the setting.
import { expect, test } from "bun:test";
import { SettingError } from "../../core/settings/settings.ts";
import { Listener } from "./listener.ts";

test("a port that another program has is named with its setting, and no stack", () => {
  const serve = (port: number) =>
    Bun.serve({ hostname: "127.0.0.1", port, fetch: () => new Response() });
  const other = serve(0);
  const port = other.port as number;
  const refused = () => new Listener(serve, port);
  expect(refused).toThrow(SettingError);
  expect(refused).toThrow(
    `SLUICE_HTTP_PORT: port ${port} cannot be used: another program listens there`,
  );
  void other.stop(true);
});
