// Examples of the description's schemas; a test checks each against its schema.
const ID = "019ac9d2-6c00-7b3e-9f41-2d5c0a7e8b10";
const [OPENS, CLOSES, ACCEPTED, DECIDED] = [
  "2027-01-31T10:00:00.000Z",
  "2027-01-31T12:00:00.000Z",
  "2027-01-31T10:00:00.120Z",
  "2027-01-31T10:00:00.140Z",
];
const LINES = [{ sku: "lamp", qty: 1 }];

export const EXAMPLES: Readonly<Record<string, unknown>> = {
  Order: { id: ID, saleId: "spring", currency: "EUR", lines: LINES, payment: "tok_visa" },
  Accepted: { id: ID, status: "accepted", estimate: { position: 12, seconds: 0.4 } },
  Cancelled: { id: ID, status: "cancelled" },
  Skip: { saleId: "spring", seq: 3 },
  OrderStatus: {
    ...{ id: ID, user: "ann", saleId: "spring", status: "paid", currency: "EUR", lines: LINES },
    ...{ amount: 4900, acceptedAt: ACCEPTED, decidedAt: DECIDED },
    events: [{ at: DECIDED, event: "reserved" }],
  },
  NewSale: {
    ...{ id: "spring", name: "Spring sale", currency: "EUR", opensAt: OPENS, closesAt: CLOSES },
    items: [{ sku: "lamp", category: "home", priceMinor: 4900, limitPerUser: 2, initial: 100 }],
  },
  Sale: {
    ...{ id: "spring", name: "Spring sale", currency: "EUR", opensAt: OPENS, closesAt: CLOSES },
    items: [
      {
        ...{ sku: "lamp", name: "Lamp", category: "home" },
        ...{ priceMinor: 4900, limitPerUser: 2, initial: 100 },
      },
    ],
  },
  SaleList: {
    sales: [
      {
        ...{ id: "spring", name: "Spring sale", currency: "EUR", status: "open", items: 1 },
        ...{ opensAt: OPENS, closesAt: CLOSES },
      },
    ],
  },
  Stock: {
    ...{ sku: "lamp", initial: 100, restocked: 5 },
    ...{ available: 90, releasing: 1, held: 4, sold: 10 },
  },
  Rates: {
    rates: [
      { pair: "EUR/JPY", value: "163.5", at: OPENS, until: "2027-01-31T10:01:00.000Z" },
      { pair: "EUR/USD", value: "1.0837", at: OPENS, until: "2027-01-31T10:01:00.000Z" },
    ],
    digits: { EUR: 2, JPY: 0, USD: 2 },
  },
  Claim: { claim: "c0c0f0b2-5d1e-4c59-9a55-0d6c2f1f6a51", max: 16, wait: 20, lease: 60 },
  Claimed: {
    ...{ claim: "c0c0f0b2-5d1e-4c59-9a55-0d6c2f1f6a51", leaseUntil: CLOSES },
    parts: [
      {
        ...{ key: `ann/${ID}/1/1`, user: "ann", id: ID, saleId: "spring", generation: 1 },
        ...{ part: 1, of: 1, shard: 3, region: "eu", metadata: '{"to":"Ada"}' },
        lines: [{ sku: "lamp", qty: 1, category: "home" }],
      },
    ],
  },
  Report: {
    ...{ claim: "c0c0f0b2-5d1e-4c59-9a55-0d6c2f1f6a51", key: `ann/${ID}/1/1` },
    outcome: "done",
  },
  Reported: { key: `ann/${ID}/1/1`, outcome: "done" },
  Change: { saleId: "spring", ref: "create spring", result: "done", applied: true },
  Problem: {
    ...{ type: "urn:sluice:problem:out_of_range", title: "Invalid value", status: 422 },
    ...{ code: "out_of_range", field: "lines[0].qty", detail: "a whole number, 1 to 100" },
  },
};
