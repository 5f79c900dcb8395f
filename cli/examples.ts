// Examples of commands, for their help and docs/reference/cli.md. A test checks that each names a
// command and flags that exist, and that every command has one.

export interface Example {
  /** What follows `sluice`. */
  readonly line: string;
  readonly says: string;
}

const ID = "0197e3a0-0000-7000-8000-000000000000";

/** A line → what it does. */
const EXAMPLES: Readonly<Record<string, string>> = {
  up: "start everything, with a demo sale",
  "up --http-port 9080": "let the gateways listen from port 9080 on",
  "up --governor-cpu off --governor-loop off":
    "do not slow down for other programs on this machine",
  "up --services warehouse": "leave the parts of one service to your own program",
  "up --brokers separate": "give each region a RabbitMQ of its own",
  down: "end it, and what a killed one has left running",
  demo: "run a sale of 100,000 orders on a private system, and verify it",
  "demo --orders 5000 --seed 7": "a smaller sale, with another seed",
  top: "watch a running system; q leaves",
  "top --once": "print it once, for a log or a chat",
  [`orders ${ID}`]: "one order's whole story, of any customer",
  "orders --user ann": "the newest orders of a user",
  "orders --status payment_failed --json": "those that nobody could charge, for a script",
  stock: "the units of each item, in Redis and in the ledger",
  "stock demo --json": "those of one sale, for a script",
  "feed --limit 20": "the first events of all orders",
  "feed --follow --types order.paid": "each payment as it happens",
  "logs --follow": "what all roles log, as they log it",
  "logs worker-1 --lines 200": "the last 200 lines of one role",
  "logs --list": "which roles have a log",
  audit: "the latest operations",
  "audit --action sales.restock": "the restocks",
  "audit --follow --json": "a JSON line for each operation as it happens",
  timeline: "what happened in the last day: roles, shards, alarms, operators",
  "timeline --kind role_lost": "which roles were lost",
  "timeline --follow --json": "a JSON line for each thing as it happens",
  doctor: "what is wrong, and how to fix it",
  "sales list": "the sales and their windows",
  "sales create sale.json": "create a sale from a file",
  "sales create - --dry-run": "check a sale on standard input, and change nothing",
  "sales open demo": "open a sale now",
  "sales open demo --at 2027-01-31T10:00:00Z": "open it at a given time",
  "sales close demo": "close it now",
  "sales restock demo lamp 50": "add 50 lamps",
  "sales correct demo lamp 3 --reason broken": "take three lamps away",
  "sales add demo item.json --reason late": "add an item from a file",
  "sales edit demo lamp --price 3500 --reason offer": "change a price, in minor units",
  "sales edit demo lamp --withdraw --reason recall": "stop new orders for it",
  "routes list": "which service gets which category",
  "routes set art warehouse": "send the parts of a category to a service",
  "routes set art depot --region us --new": "for one region, to a service that does not run yet",
  "routes unset art": "keep its parts until it has a route again",
  "routes drain warehouse": "send a service's waiting parts where the routes point now",
  "rates list": "the exchange rates in use, and those that wait",
  "rates accept EUR/USD 1.5 --ref ticket-7": "use a rate that jumped",
  "rates refuse EUR/USD 1.5 --ref ticket-8": "ignore it",
  "workers list": "the running workers and their shards",
  "workers pause worker-1": "let another worker take its shards",
  "workers resume worker-1": "let it work again",
  "dead list": "what was given up, and why",
  "dead list --queue payments.dead --user ann": "the failed payments of a user",
  "dead show 5f3a9c1b": "one dead letter with its content",
  "dead redrive --queue payments.dead": "retry the failed payments",
  "dead drop 5f3a9c1b": "delete one dead letter",
  "webhooks list": "the receivers of events",
  "webhooks add https://example.org/hook --types order.paid": "send each payment there",
  "webhooks pause we_2f8c41d09b7e5a63": "send nothing for now; events wait",
  "webhooks resume we_2f8c41d09b7e5a63": "continue where it was paused",
  "webhooks remove we_2f8c41d09b7e5a63": "forget the receiver",
  "webhooks log we_2f8c41d09b7e5a63": "its latest deliveries",
  "webhooks redeliver we_2f8c41d09b7e5a63 V4RdcCWwQvyJp1xZfLhAtA-0-17": "send one event again",
  "recover --accept-ledger": "after a halt: rebuild Redis from the present ledger",
  "recover --ask-again": "after a broker lost messages: publish what is unfinished again",
  "recover --lost --region us": "after a region was lost: list its orders",
  "verify --partial": "check the guarantees of a running system",
  "verify --history history.jsonl --json": "with what the clients saw, for a script",
  "check-history history.jsonl": "judge a history without Sluice's code",
  "chaos --list": "the faults that it can inject",
  chaos: "inject faults under load, and verify",
  "simulate --seeds 1000": "try a thousand seeds",
  "simulate --seed 42": "repeat one",
  "protocol --seconds 30": "look for a violation in the specification",
  "bench intake": "how many orders a gateway accepts",
  "bench load --rate 5000": "a steady load, with its latencies",
  "bench curve": "what an order costs at each rate",
  "bench overload": "three times more orders than can be decided",
  "bench k6 burst": "a burst of requests, with k6",
  "bench peers --http": "Sluice compared with what people would choose instead",
  "bench limits": "what each part does alone",
  "bench scale": "what more gateways, workers and shards give",
  "bench attacks --seconds 5": "what a flood of bad requests costs the others",
  check: "format, lint, types and structure of the source",
  gateway: "one more gateway beside a running 'sluice up'",
  worker: "one more worker",
  payments: "one more payment worker",
  "fulfil --service warehouse": "one more process of a service",
  sender: "one more sender of webhooks",
  "provider --shares decline=0.1": "a payment provider that declines one charge in ten",
  "token --user ann": "a customer's token, for an hour",
  "token --user ops --scope operator": "an operator's token, for the console",
  id: "a new order's id",
  config: "every setting with its value",
  "config --gap-timeout 10s --json": "with one set, for a script",
  "completion bash": "the script for bash: source <(./sluice completion bash)",
  "completion fish": "the script for fish: ./sluice completion fish | source",
};

const ALL: readonly Example[] = Object.entries(EXAMPLES).map(([line, says]) => ({ line, says }));

/** Those of a command; of a group, those of its sub-commands. */
export function examplesFor(path: string): readonly Example[] {
  return ALL.filter(({ line }) => line === path || line.startsWith(`${path} `));
}

export const EXAMPLE_LINES: readonly string[] = Object.keys(EXAMPLES);
