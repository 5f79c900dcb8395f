// Reads a request's body up to a limit, whatever its headers claim.
import { type Problem, problem } from "./problem.ts";

/** The text, or why it is refused. A synchronous answer means the body was not read. */
export function readBody(request: Request, maxBytes: number): Promise<string | Problem> | Problem {
  const { headers } = request;
  const encoding = headers.get("content-encoding");
  if (encoding !== null && encoding.toLowerCase() !== "identity")
    return problem("unsupported_encoding", "Content-Encoding", "bodies are not compressed");
  const type = headers.get("content-type");
  if (type !== "application/json" && !isJson(type))
    return problem("unsupported_type", "Content-Type", "application/json");
  const length = headers.get("content-length");
  if (length === null) return readStream(request, maxBytes);
  if (Number(length) > maxBytes)
    return problem("too_large", undefined, `at most ${maxBytes} bytes`);
  return request.text();
}

function isJson(type: string | null): boolean {
  return type !== null && /^application\/json\s*(;|$)/i.test(type);
}

/** A chunked body does not announce its length. */
async function readStream(request: Request, maxBytes: number): Promise<string | Problem> {
  if (!request.body) return "";
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request.body) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) return problem("too_large", undefined, `at most ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
