// Has schemathesis (PyPI) try every call of a gateway with good and bad input, by its description:
//
//   python3 -m venv /tmp/venv && /tmp/venv/bin/pip install schemathesis==4.32.5
//   bun test/schemathesis.ts /tmp/venv/bin/schemathesis [more arguments]
//
// Not part of CI: it takes a minute, and needs Python.
import { startTestGateway, token } from "../gateway/testing.ts";
import { stopTestServices, testDir } from "./services.ts";

const [command = "schemathesis", ...more] = process.argv.slice(2);

const t = await startTestGateway({
  webhookSecrets: [`whsec_${btoa("a secret of the provider's")}`],
});
const bearer = await token("op", { scope: "operator service" });
const { exited } = Bun.spawn(
  [
    ...[command, "--config-file", `${import.meta.dir}/schemathesis.toml`],
    ...["run", `${t.gateway.url}/openapi.json`, "--header", `Authorization: Bearer ${bearer}`],
    // A socket, and a stream without an end.
    ...["--exclude-path", "/v1/ws", "--exclude-path", "/v1/orders/{id}/events"],
    ...["--phases", "examples,coverage,fuzzing", "--request-timeout", "10", ...more],
  ],
  { cwd: testDir("schemathesis"), stdout: "inherit", stderr: "inherit" },
);
process.exitCode = await exited;
await t.close();
await stopTestServices();
