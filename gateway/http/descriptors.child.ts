// A gateway in a process of its own; prints where it listens and where its metrics are.
import { startTestGateway } from "../testing.ts";

const { gateway } = await startTestGateway({ metrics: { host: "127.0.0.1", port: 0 } });
console.log(`${gateway.url} ${gateway.metricsUrl}`);
