// Sluice's client for browsers, Node and Bun. README.md shows how to use it.
export { type AmqpConnection, AmqpParts, type AmqpPartsOptions } from "./amqp-parts.ts";
export type { Following, OrderEvent } from "./event-stream.ts";
export type { Token } from "./gateways.ts";
export { HttpParts, type HttpPartsOptions } from "./http-parts.ts";
export { uuidV7 } from "./ids.ts";
export { Live, type LiveOptions, type Stock } from "./live.ts";
export type { WebSocketClass } from "./live-socket.ts";
export {
  type Accepted,
  type Cancelled,
  type Decided,
  type Draft,
  type Line,
  type NewOrder,
  Order,
  type OrderDetails,
  type Outcome,
} from "./order.ts";
export type { PlaceOptions } from "./placing.ts";
export {
  type Estimate,
  PROBLEM_CODES,
  type Problem,
  type ProblemCode,
  Refused,
  SluiceError,
  Unfinished,
} from "./problem.ts";
export type {
  OrderPage,
  OrderQuery,
  Rate,
  Rates,
  Sale,
  SaleItem,
  SalePage,
  SaleQuery,
  StockItem,
} from "./reads.ts";
export { Sequence, type SequenceOptions, type Skip } from "./sequence.ts";
export {
  type Part,
  type PartLine,
  type PartSource,
  partKey,
  Service,
  type ServiceOptions,
} from "./service.ts";
export type { Waiting } from "./settle.ts";
export { Sluice, type SluiceOptions } from "./sluice.ts";
export {
  FINISHED_STATES,
  type FinishedState,
  isDecided,
  isFinished,
  isState,
  OPEN_STATES,
  type OpenState,
  type OrderState,
} from "./states.ts";
