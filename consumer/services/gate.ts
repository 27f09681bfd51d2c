/** Lets work through together or alone. */
export interface Gate {
  /** Begins at once, unless something runs alone or waits to. */
  together<T>(work: () => Promise<T>): Promise<T>;
  /** Begins when everything that was let through has ended, and nothing else is let through until it has ended. */
  alone<T>(work: () => Promise<T>): Promise<T>;
}

export function createGate(): Gate {
  let inFlight = 0;
  let drained: () => void = () => undefined;
  /** The end of the last work that runs alone or waits to. */
  let lastAlone: Promise<unknown> | undefined;

  function leave(): void {
    inFlight -= 1;
    if (inFlight === 0) drained();
  }

  async function togetherLater<T>(work: () => Promise<T>): Promise<T> {
    // More may have come to wait meanwhile: what is suspected goes first, and is at some point done.
    while (lastAlone) await lastAlone;
    return begin(work);
  }

  /** Every message passes here: nothing is kept for it beyond its promises. */
  function begin<T>(work: () => Promise<T>): Promise<T> {
    inFlight += 1;
    const working = work();
    working.then(leave, leave);
    return working;
  }

  async function takeTurn<T>(before: Promise<unknown> | undefined, work: () => Promise<T>): Promise<T> {
    await before;
    if (inFlight > 0) await new Promise<void>((resolve) => (drained = resolve));
    return work();
  }

  return {
    together: (work) => (lastAlone ? togetherLater(work) : begin(work)),
    async alone(work) {
      const turn = takeTurn(lastAlone, work);
      const ended = turn.then(
        () => undefined,
        () => undefined,
      );
      lastAlone = ended;
      try {
        return await turn;
      } finally {
        if (lastAlone === ended) lastAlone = undefined;
      }
    },
  };
}
