/** The message of anything that was thrown, for logs and error messages. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
