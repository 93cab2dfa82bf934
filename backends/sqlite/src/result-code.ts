/** The extended result code (https://sqlite.org/rescode.html); 0 for what SQLite did not say. */
export function resultCodeOf(error: unknown): number {
  if (typeof error !== "object" || error === null || !("errcode" in error)) return 0;
  return typeof error.errcode === "number" ? error.errcode : 0;
}
