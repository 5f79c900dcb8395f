// The WebSocket, and what services and Sluice send each other, as AsyncAPI 3.0: what /asyncapi.json
// serves. `receive` and `send` are Sluice's.
import { type Json, schemas } from "../http/openapi-schemas.ts";
import { CLIENT_FRAMES, FRAME_SCHEMAS, frame, SERVER_FRAMES } from "./asyncapi-frames.ts";
import { SERVICE_SCHEMAS } from "./asyncapi-services.ts";

const SHARED = ["Order", "Problem", "Currency"];

const at = (path: string): Json => ({ $ref: `#/${path}` });

/** Messages by name, each with its frame's schema. */
function messagesOf(frames: typeof CLIENT_FRAMES): Json {
  return Object.fromEntries(
    Object.entries(frames).map(([type, shape]) => [
      type,
      { name: type, summary: shape[2], payload: frame(type, shape) },
    ]),
  );
}

const amqpMessage = (schema: string, summary: string, type?: string): Json => ({
  ...{ name: schema, summary, contentType: "application/json" },
  ...(type === undefined ? {} : { bindings: { amqp: { messageType: type } } }),
  payload: at(`components/schemas/${schema}`),
});

const queue = (address: string, description: string, messages: Json): Json => ({
  ...{ address, description, messages },
  servers: [at("servers/broker")],
  parameters: { service: { description: "The service's name" } },
  bindings: { amqp: { is: "queue", queue: { name: address } } },
});

const operation = (action: "send" | "receive", channel: string, summary: string): Json => ({
  ...{ action, summary },
  channel: at(`channels/${channel}`),
});
const named = (channel: string, frames: object): Json[] =>
  Object.keys(frames).map((type) => at(`channels/${channel}/messages/${type}`));

export const ASYNCAPI: Json = {
  asyncapi: "3.0.0",
  info: {
    title: "Sluice",
    version: "1",
    description:
      "Orders in and outcomes out over a WebSocket (docs/websocket.md), and parts of paid orders " +
      "for services over AMQP (docs/fulfilment.md).",
    license: { name: "MIT" },
  },
  defaultContentType: "application/json",
  servers: {
    gateway: { host: "127.0.0.1:8080", protocol: "ws", description: "A gateway" },
    broker: { host: "127.0.0.1:5672", protocol: "amqp", description: "A region's RabbitMQ" },
  },
  channels: {
    socket: {
      address: "/v1/ws",
      description: "JSON objects in text frames, of at most 64 KiB from the client",
      servers: [at("servers/gateway")],
      messages: { ...messagesOf(CLIENT_FRAMES), ...messagesOf(SERVER_FRAMES) },
    },
    parts: queue("fulfilment.{service}", "The parts of a service, in each region", {
      Parts: amqpMessage("Parts", "Parts of paid orders", "fulfilment.v1"),
    }),
    claims: {
      address: "claims",
      description:
        "Exchange; the routing key is the part's shard. Message id, app id and user id are " +
        "required, and the message must be persistent",
      servers: [at("servers/broker")],
      messages: { Reports: amqpMessage("Reports", "Claims and reports of parts", "orders.v1") },
      bindings: { amqp: { is: "routingKey", exchange: { name: "claims", type: "direct" } } },
    },
    answers: queue("gateway.{service}", "A queue that the service declares, exclusively", {
      Answers: amqpMessage("Answers", "What became of each row, once the ledger has it"),
    }),
  },
  operations: {
    receiveFrames: {
      ...operation("receive", "socket", "Frames from a client"),
      messages: named("socket", CLIENT_FRAMES),
    },
    sendFrames: {
      ...operation("send", "socket", "Frames to a client"),
      messages: named("socket", SERVER_FRAMES),
    },
    sendParts: operation("send", "parts", "Hands parts to their service"),
    receiveReports: operation("receive", "claims", "A service claims a part, or reports on it"),
    sendAnswers: operation("send", "answers", "Answers a service's reports"),
  },
  components: {
    schemas: {
      ...Object.fromEntries(SHARED.map((schema) => [schema, schemas[schema]])),
      ...FRAME_SCHEMAS,
      ...SERVICE_SCHEMAS,
    },
  },
};
