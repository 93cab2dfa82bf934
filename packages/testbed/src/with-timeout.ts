/** A bound on waiting, in real time, that says what was waited for. */

export interface TimeoutOptions {
  /** Default 10 000 ms: far beyond what any step of a test needs on a busy machine. */
  readonly timeoutMs?: number;
  /** What is waited for; the start of the error's sentence. */
  readonly what: string;
}

/** Resolves as the work does, or rejects when it takes longer. The work itself is not stopped. */
export async function withTimeout<T>(work: Promise<T>, options: TimeoutOptions): Promise<T> {
  const { timeoutMs = 10_000, what } = options;
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`${what} did not happen within ${timeoutMs} ms.`)),
      timeoutMs,
    );
  });
  try {
    return await Promise.race([work, expired]);
  } finally {
    clearTimeout(timer);
  }
}
