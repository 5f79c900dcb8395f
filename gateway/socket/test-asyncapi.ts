// For tests: whether a frame, or a service's message, is one that the AsyncAPI description has.
import Ajv, { type ValidateFunction } from "ajv/dist/2020";
import addFormats from "ajv-formats";
import { ASYNCAPI } from "./asyncapi.ts";
import { CLIENT_FRAMES, SERVER_FRAMES } from "./asyncapi-frames.ts";

const ajv = new Ajv({ strict: false, allErrors: true });
addFormats(ajv);
ajv.addSchema(ASYNCAPI, "asyncapi");

const validators = new Map<string, ValidateFunction>();

function misfit(pointer: string, value: unknown): string | undefined {
  const validate = validators.get(pointer) ?? ajv.compile({ $ref: `asyncapi#${pointer}` });
  validators.set(pointer, validate);
  return validate(value) ? undefined : ajv.errorsText(validate.errors);
}

/** `by`: who sends it. undefined: nothing is wrong with it. */
export function frameMisfit(
  by: "client" | "server",
  frame: { readonly type: string } | Record<string, unknown>,
): string | undefined {
  const type = String(frame.type);
  if (!Object.hasOwn(by === "client" ? CLIENT_FRAMES : SERVER_FRAMES, type))
    return `no frame '${type}' is described`;
  return misfit(`/channels/socket/messages/${type}/payload`, frame);
}

export function messageMisfit(schema: string, message: unknown): string | undefined {
  return misfit(`/components/schemas/${schema}`, message);
}
