/** The text of whatever was thrown: what logs and error messages say of it. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
