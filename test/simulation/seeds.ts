/** Seeds that found a mistake once, and what it was. They stay. A seed's world changes with the simulation itself. */
export const KEPT_SEEDS: ReadonlyArray<{ readonly seed: number; readonly found: string }> = [
  { seed: 1, found: "a workspace was removed although its work was never handed over" },
  { seed: 3, found: "a reply started a failing run again without its backoff" },
  { seed: 28, found: "a move that failed between link and unlink left the issue under two names" },
  {
    seed: 95,
    found: "a crash between link and unlink, and a person who moved one of the two names meanwhile"
  },
  {
    seed: 128,
    found: "a crash between link and unlink, and a person who saved one of the two names meanwhile"
  },
  { seed: 178, found: "our own move, journaled late, hid what a person did to the issue after it" },
  { seed: 360, found: "a duplicate in a terminal state that was removed as its run started" },
  {
    seed: 399,
    found:
      "a crash between link and unlink of a file that an editor had saved anew since the move was put on record"
  },
  {
    seed: 777140,
    found: "a crash between unlink and sync of a move: with a power loss hours later the old name came back"
  }
]
