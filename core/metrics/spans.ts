// Spans of work done for orders whose caller records a trace (W3C Trace Context's sampled flag),
// sent to an OpenTelemetry collector by OTLP over HTTP. Without a collector in the settings there
// is no Spans object, and nothing checks for traces. All spans are children of the caller's: the
// row's traceparent is passed on unchanged.
import {
  type Attributes,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { isSampled, spanIdOf, type Traceparent, traceIdOf } from "../domain/trace.ts";
import { ignore } from "../runtime/ignored.ts";

export interface Done {
  readonly name: string;
  readonly traceparent: Traceparent;
  /** Unix ms. */
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Attributes;
  /** The error, if it failed. */
  readonly failed?: string;
}

/** Records work done for an order. */
export interface SpanRecorder {
  /** Does nothing if the caller does not record its trace. */
  record(done: Done): void;
}

/** How long spans are gathered, and at most wait for the collector, ms. */
const GATHER_MS = 1_000;
const TIMEOUT_MS = 5_000;

export class Spans implements SpanRecorder {
  private readonly provider: BasicTracerProvider;

  /** `url`: the collector's, without `/v1/traces`; `role` and `id`: this process's. */
  constructor(url: string, role: string, id: string) {
    const exporter = new OTLPTraceExporter({
      url: `${url.replace(/\/$/, "")}/v1/traces`,
      timeoutMillis: TIMEOUT_MS,
    });
    this.provider = new BasicTracerProvider({
      resource: resourceFromAttributes({
        "service.namespace": "sluice",
        "service.name": `sluice-${role}`,
        "service.instance.id": id,
      }),
      spanProcessors: [
        new BatchSpanProcessor(exporter, {
          scheduledDelayMillis: GATHER_MS,
          exportTimeoutMillis: TIMEOUT_MS,
        }),
      ],
    });
  }

  record({ name, traceparent, startMs, endMs, attributes, failed }: Done): void {
    if (!isSampled(traceparent)) return;
    const parent = {
      traceId: traceIdOf(traceparent),
      spanId: spanIdOf(traceparent),
      traceFlags: TraceFlags.SAMPLED,
      isRemote: true,
    };
    const context = trace.setSpanContext(ROOT_CONTEXT, parent);
    const span = this.provider
      .getTracer("sluice")
      .startSpan(name, { startTime: startMs, attributes, kind: SpanKind.INTERNAL }, context);
    if (failed !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: failed });
    span.end(endMs);
  }

  /** Sends the remaining spans. */
  async close(): Promise<void> {
    await ignore(this.provider.shutdown(), "spans_flush");
  }
}
