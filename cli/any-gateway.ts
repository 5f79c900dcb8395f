// Asks a gateway, and another one while it does not answer: the others of `sluice up`, and those
// that report in Redis.
import { messageOf } from "../core/domain/message-of.ts";
import type { RoleReport } from "../core/domain/report.ts";
import { ignore } from "../core/runtime/ignored.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import type { Settings } from "../core/settings/settings.ts";
import { Members } from "../core/stores/members.ts";
import { RedisStore } from "../core/stores/redis.ts";
import { recordedGateways } from "./running.ts";
import { Unavailable } from "./usage.ts";

const ANSWER_MS = 5_000;
/** One of these may be down itself. */
const REDIS_MS = 1_000;

export class AnyGateway {
  private url: string;
  /** The first one, while another answers. */
  private silent: string | undefined;

  /** `others`: whom to ask while `first` does not answer. */
  constructor(
    private readonly first: string,
    private readonly others: () => Promise<readonly string[]>,
  ) {
    this.url = first;
  }

  /** In words; undefined: the first one has answered. */
  get instead(): string | undefined {
    return this.silent && `${this.silent} does not answer: asked ${this.url}`;
  }

  /** Rejects as Unavailable if none answers. The one that did is asked first the next time. */
  async get(path: string, headers: Readonly<Record<string, string>>): Promise<Response> {
    const asked = new Set<string>();
    let why = "";
    const ask = async (url: string) => {
      if (asked.has(url)) return undefined;
      asked.add(url);
      const signal = realRuntime.abortAfter(ANSWER_MS);
      const response = await fetch(`${url}${path}`, { headers, signal }).catch((error) => {
        why = messageOf(error);
      });
      if (!response) return undefined;
      this.url = url;
      this.silent = url === this.first ? undefined : this.first;
      return response;
    };
    const answer = await ask(this.url);
    if (answer) return answer;
    for (const url of [this.first, ...(await this.others())]) {
      const next = await ask(url);
      if (next) return next;
    }
    throw new Unavailable(`no gateway answers at ${[...asked].join(", ")} (see --url): ${why}`);
  }
}

/** Every gateway that `sluice up` has started here, or that reports in Redis. */
export async function knownGateways({ redisUrl, dataDir }: Settings): Promise<string[]> {
  const reporting = redisUrl === "" ? [] : await reportingIn(redisUrl);
  return [...new Set([...reporting, ...recordedGateways(dataDir)])];
}

async function reportingIn(url: string): Promise<string[]> {
  const onError = () => undefined;
  const redis = new RedisStore({ runtime: realRuntime, url, callTimeoutMs: REDIS_MS, onError });
  try {
    await ignore(redis.client.connect(), "redis_connect");
    const { running = [] } = (await ignore(new Members(redis).everyone(), "members_look")) ?? {};
    return running.flatMap(({ report }) => {
      const role = JSON.parse(report) as RoleReport;
      return role.kind === "gateway" && role.url !== "" ? [role.url] : [];
    });
  } finally {
    await redis.close();
  }
}
