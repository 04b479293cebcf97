/** One line of `src/` changed, as a mistake would, and the promises that it breaks. */
export interface Mutation {
  readonly name: string
  readonly file: string
  /** Occurs exactly once. */
  readonly from: string
  readonly to: string
  /** Any of these; which one is met first depends on the seed. */
  readonly breaks: ReadonlyArray<string>
  /** Only the deep ones among the seeds come across the line. */
  readonly deep?: boolean
}

export const MUTATIONS: ReadonlyArray<Mutation> = [
  {
    name: "double-dispatch",
    file: "scheduler/eligibility.ts",
    from: `if (live !== undefined) return { _tag: "Running", run: live }`,
    to: `if (live !== undefined && live.conclusion === null) return { _tag: "Running", run: live }`,
    breaks: ["at most one live run per issue"]
  },
  {
    name: "cap-off-by-one",
    file: "scheduler/eligibility.ts",
    from: "if (total >= policy.maxConcurrent)",
    to: "if (total > policy.maxConcurrent)",
    breaks: ["caps hold"]
  },
  {
    name: "state-cap-off-by-one",
    file: "scheduler/eligibility.ts",
    from: ": there(kept)) >= cap)",
    to: ": there(kept)) > cap)",
    breaks: ["caps hold"]
  },
  {
    name: "signal-after-cancel-accepted",
    file: "scheduler/reactToRun.ts",
    from: "if (run.cancel !== null || run.conclusion !== null) return refused(runEnded(id))",
    to: "if (run.conclusion !== null) return refused(runEnded(id))",
    breaks: ["no effect by an old generation"]
  },
  {
    name: "journal-after-effect",
    file: "scheduler/SchedulerLive.ts",
    from: "    settle(draft, observation, missingSince, now)\n",
    to: "    settle(draft, observation, missingSince, now)\n    yield* Effect.forEach(draft.acts.splice(0), (act) => perform(act, definition), { discard: true })\n",
    breaks: ["intent, effect, result"]
  },
  {
    name: "answer-before-journal",
    file: "scheduler/SchedulerLive.ts",
    from: "    settle(draft, observation, missingSince, now)\n",
    to: "    settle(draft, observation, missingSince, now)\n    yield* Effect.forEach(draft.answers.splice(0), (answer) => answer, { discard: true })\n",
    breaks: ["intent, effect, result", "replies reach the agent"]
  },
  {
    name: "claim-forgotten-on-crash",
    file: "scheduler/acts.ts",
    from: "...Object.values(state.runs).map((record): Act",
    to: "...Object.values(state.runs).slice(1).map((record): Act",
    breaks: ["every issue comes to rest"]
  },
  {
    name: "relocation-forgotten-on-crash",
    file: "scheduler/acts.ts",
    from: "...Object.values(state.issues).flatMap((record) => relocate(state, record.id))",
    to: "...Object.values(state.issues).flatMap(() => [])",
    breaks: ["every issue comes to rest"]
  },
  {
    name: "slot-freed-while-preparing",
    file: "scheduler/state.ts",
    from: "export const holdsSlot = (run: RunRecord): boolean => run.conclusion === null",
    to: "export const holdsSlot = (run: RunRecord): boolean => run.stage !== 'exporting' && run.session !== null",
    breaks: ["caps hold"]
  },
  {
    name: "generation-reused",
    file: "scheduler/evolve.ts",
    from: "epoch: event.epoch,",
    to: "epoch: 1,",
    breaks: [
      "no effect by an old generation",
      "at most one live run per issue",
      "nothing is deleted before its export",
      "intent, effect, result",
      "a handoff is not doubled"
    ]
  },
  {
    name: "stop-not-held",
    file: "scheduler/evolve.ts",
    from: "{ ...issue, hold, retry: null }",
    to: "{ ...issue, retry: null }",
    breaks: ["a stopped issue stays stopped"]
  },
  {
    name: "seconds-uncounted",
    file: "scheduler/evolve.ts",
    from: "seconds: state.totals.seconds + seconds,",
    to: "seconds: state.totals.seconds,",
    breaks: ["totals equal the journal"]
  },
  {
    name: "downtime-counted",
    file: "scheduler/evolve.ts",
    from: "earlierSeconds: secondsOf(run, state.lastAt ?? run.startedAt)",
    to: "earlierSeconds: secondsOf(run, event.at)",
    breaks: ["totals equal the journal"]
  },
  {
    name: "full-machine-ignored",
    file: "scheduler/exhaustion.ts",
    from: "(isAhead(exhaustion.since, exhaustion.until, now) || starting)",
    to: "starting",
    breaks: ["a full machine starts nothing"]
  },
  {
    name: "fiber-left-behind",
    file: "scheduler/SchedulerLive.ts",
    from: "yield* FiberSet.run(vital, poll)",
    to: "yield* Effect.forkDetach(poll)",
    breaks: ["no fiber outlives the program"]
  },
  {
    name: "orphan-forgotten",
    file: "run/RunsLive.ts",
    from: "yield* inSession(run, quiesce(run))",
    to: "if (!order.recovering) yield* inSession(run, quiesce(run))",
    breaks: ["no sandbox outlives its run"]
  },
  {
    name: "unanswered-taken-for-dead",
    file: "run/quiesce.ts",
    from: `answer.status === "dead"`,
    to: `answer.status !== "gone"`,
    breaks: ["no sandbox outlives its run"]
  },
  {
    name: "quiesced-unseen",
    file: "run/RunsLive.ts",
    from: "    yield* inSession(run, quiesce(run))\n",
    to: "",
    breaks: ["no sandbox outlives its run"]
  },
  {
    name: "backoff-doubled",
    file: "scheduler/retry.ts",
    from: ": backoff(failures, policy.maxRetryBackoffMs))",
    to: ": 2 * backoff(failures, policy.maxRetryBackoffMs))",
    breaks: ["retries wait as stated"]
  },
  {
    name: "retry-too-early",
    file: "scheduler/eligibility.ts",
    from: "if (retry !== null && isAhead(retry.since, retry.dueAt, now)) {",
    to: "if (retry !== null && steering === null && isAhead(retry.since, retry.dueAt, now)) {",
    breaks: ["no retry before it is due"]
  },
  {
    name: "early-reply-dropped",
    file: "scheduler/evolve.ts",
    from: "      return steering?.question === event.question\n",
    to: "      return steering?.question === event.question && Object.values(state.runs).every((run) => run.issue !== event.issue)\n",
    breaks: ["replies reach the agent"]
  },
  {
    name: "reply-lost-with-its-turn",
    file: "run/converse.ts",
    from: `if (reply !== null && end._tag === "EndOfTurn") {`,
    to: "if (reply !== null) {",
    breaks: ["replies reach the agent"]
  },
  {
    name: "answer-kept-from-new-session",
    file: "run/converse.ts",
    from: "const before = toldOf(order.answered)",
    to: "const before = toldOf(null)",
    breaks: ["replies reach the agent"]
  },
  {
    name: "breaker-never-trips",
    file: "scheduler/retry.ts",
    from: "failures >= policy.breakerThreshold",
    to: "failures >= 1_000 * policy.breakerThreshold",
    breaks: ["the breaker trips and stays"]
  },
  {
    name: "breaker-not-sticky",
    file: "scheduler/eligibility.ts",
    from: "if (record?.hold != null) return",
    to: `if (record?.hold != null && record.hold.reason !== "breaker") return`,
    breaks: ["the breaker trips and stays"]
  },
  {
    name: "sessions-unbounded",
    file: "scheduler/retry.ts",
    from: "return issue.sessions + 1 >= policy.maxSessions",
    to: "return issue.sessions >= 1_000 * policy.maxSessions",
    breaks: ["sessions are bounded"]
  },
  {
    name: "torn-tail-trusted",
    file: "journal/FileJournal.ts",
    from: "  if (found.torn > 0) {",
    to: "  if (found.torn < 0) {",
    breaks: ["the program lives", "what was journaled survives", "every issue comes to rest"],
    deep: true
  },
  {
    name: "append-not-synced",
    file: "journal/FileJournal.ts",
    from: "yield* Effect.andThen(handle.append(line.bytes), handle.sync).pipe(",
    to: "yield* handle.append(line.bytes).pipe(",
    breaks: ["what was journaled survives", "no effect by an old generation", "totals never fall"],
    deep: true
  },
  {
    name: "snapshot-forgets",
    file: "scheduler/memory.ts",
    from: `encode({ _tag: "Snapshot", state })`,
    to: `encode({ _tag: "Snapshot", state: emptyState })`,
    breaks: [
      "totals never fall",
      "at most one live run per issue",
      "nothing is deleted before its export",
      "the breaker trips and stays"
    ]
  },
  {
    name: "removed-before-export",
    file: "run/removeFinished.ts",
    from: `if (workflow.config.handoff.mode !== "none" && !isHandedOver && last !== undefined) {`,
    to: `if (workflow.config.handoff.mode !== "none" && !isHandedOver && last === undefined) {`,
    breaks: ["nothing is deleted before its export"]
  },
  {
    name: "editor-not-waited-for",
    file: "scheduler/whenBack.ts",
    from: "times: Duration.toMillis(MISSING_GRACE) / Duration.toMillis(LOOK_AGAIN)",
    to: "times: 0",
    breaks: ["a move is made"]
  },
  {
    name: "move-without-intent",
    file: "run/move.ts",
    from: `      yield* run.report({ _tag: "MoveIntended", ...move })\n`,
    to: "",
    breaks: ["intent, effect, result"]
  },
  {
    name: "half-move-forgotten",
    file: "run/RunsLive.ts",
    from: "if (record.move !== null) {",
    to: "if (record.move !== null && record.done !== null) {",
    breaks: ["no issue is doubled", "nothing terminal is re-run", "a move is made"]
  },
  {
    name: "holding-worked-in",
    file: "scheduler/eligibility.ts",
    from: `if (role === "holding") {`,
    to: `if (role === "holding" && record === undefined) {`,
    breaks: ["only active states are worked in"]
  },
  {
    name: "terminal-re-run",
    file: "scheduler/eligibility.ts",
    from: `if (role === "terminal" && record?.hold?.reason !== "handoff") {`,
    to: `if (role === "terminal" && record !== undefined && record.hold?.reason !== "handoff") {`,
    breaks: ["nothing terminal is re-run", "only active states are worked in"]
  },
  {
    name: "own-move-trusted-for-ever",
    file: "scheduler/eligibility.ts",
    from: "    observation.tracker.scan > move.scan ||\n",
    to: "",
    breaks: ["nothing terminal is re-run"]
  },
  {
    name: "totals-forgotten",
    file: "scheduler/evolve.ts",
    from: "epoch: event.epoch,",
    to: "epoch: event.epoch, totals: { tokens: noTokens, seconds: 0, runs: 0, completed: 0 },",
    breaks: ["totals never fall", "totals equal the journal"]
  },
  {
    name: "pause-forgotten",
    file: "scheduler/eligibility.ts",
    from: `state.mode === "paused" || (state.mode`,
    to: `(state.mode`,
    breaks: ["a pause holds"]
  },
  {
    name: "publish-without-intent",
    file: "run/publish.ts",
    from: `    yield* run.report({ _tag: "PublishIntended" })\n`,
    to: "",
    breaks: ["intent, effect, result"]
  },
  {
    name: "machine-of-another-run-ended",
    file: "sandbox/smolvm/VmPool.ts",
    from: "return record === undefined || record.runId !== runId",
    to: "return record === undefined",
    breaks: ["nobody's machine is deleted", "a lease is a machine of one's own"]
  },
  {
    name: "slot-freed-before-death",
    file: "sandbox/smolvm/VmPool.ts",
    from: `if ((yield* end) === "dead") return yield* Effect.asVoid(free)`,
    to: `if ((yield* end) !== null) return yield* Effect.asVoid(free)`,
    breaks: ["the pool keeps its bound"]
  },
  {
    name: "unknown-taken-for-dead",
    file: "sandbox/smolvm/VmPool.ts",
    from: `      yield* Effect.logWarning("smolvm does not say which machines live", machine.failure)
      return "unknown" as const`,
    to: `      return "dead" as const`,
    breaks: ["a machine is stopped before it is deleted", "the pool keeps its bound"]
  },
  {
    name: "deleted-without-a-stop",
    file: "sandbox/smolvm/VmPool.ts",
    from: `if ((yield* halt(machines, record)) === "unknown") return "unknown" as const`,
    to: "",
    breaks: ["a machine is stopped before it is deleted"]
  },
  {
    name: "late-start-forgotten",
    file: "sandbox/smolvm/VmPool.ts",
    from: "(yield* isPending(record, machine.success))",
    to: "false",
    breaks: ["the pool keeps its bound", "no machine outlives its owner", "a machine is booted once"]
  },
  {
    name: "earlier-life-not-counted",
    file: "sandbox/smolvm/VmPool.ts",
    from: "[...strange].filter((name) => records.get(name)?.stopped === false).length",
    to: "0",
    breaks: ["the pool keeps its bound"]
  },
  {
    name: "orphan-machine-forgotten",
    file: "sandbox/smolvm/VmPool.ts",
    from: "    inherited,\n    ({ name }) =>",
    to: "    inherited.slice(1),\n    ({ name }) =>",
    breaks: ["a lease comes to an end", "no machine outlives its owner"]
  }
]
