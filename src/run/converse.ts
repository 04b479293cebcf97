import { Clock, Deferred, Duration, Effect, Queue, Ref, Result, type Scope, Stream } from "effect"
import type { QuestionId } from "../domain/ids.ts"
import { type CancelReason, RunFailure, type RunOutcome } from "../domain/Outcome.ts"
import { policyOf } from "../domain/State.ts"
import { type Tokens, unknownTokens } from "../domain/Tokens.ts"
import type { Conclusion } from "../scheduler/events.ts"
import type { RunFenced } from "../scheduler/Runs.ts"
import type { Steering } from "../scheduler/state.ts"
import {
  answeredNote,
  continuationPrompt,
  type HumanReply,
  replyPrompt,
  retryNote
} from "../workflow/texts.ts"
import { failureOf } from "./failures.ts"
import { makeNarration } from "./narration.ts"
import { currentIssue, isGone, type Prepared } from "./prepare.ts"
import { noteFailure, noteStage, type RunContext } from "./RunContext.ts"
import { takeUsed } from "./usage.ts"

/** Time the agent has to end its turn by itself after it has signalled or asked. */
export const ENDING_GRACE = Duration.seconds(10)
/** Time it has to answer our cancel. */
export const CANCEL_GRACE = Duration.seconds(3)
/** The same when symphony stops: its sandbox and its hook need what is left of the time for that. */
export const SHUTDOWN_CANCEL_GRACE = Duration.seconds(1)

export const ended = (outcome: RunOutcome): Conclusion => ({ _tag: "Ended", outcome })
export const cancelled = (reason: CancelReason): Conclusion => ended({ _tag: "Cancelled", reason })
export const failed = (failure: RunFailure): Conclusion =>
  ended({
    _tag: "Failed",
    class: failure.class,
    reason: failure.reason,
    message: failure.message,
    resetAt: failure.resetAt
  })

/** What an agent is told of an answered question. */
const toldOf = (steering: Steering | null): HumanReply | null =>
  steering === null || steering.reply === null
    ? null
    : { question: steering.text, context: steering.context, reply: steering.reply }

/** The first prompt of a run's session: what a session does not know from before, it is told. */
const openingPrompt = (run: RunContext, prepared: Prepared): Effect.Effect<string, RunFailure> =>
  Effect.gen(function* () {
    const { order, record } = run
    const told = toldOf(order.steering)
    if (prepared.session.resumed) return told === null ? continuationPrompt : replyPrompt(told)
    const before = toldOf(order.answered)
    const note =
      record.retryAttempt !== null && order.lastFailure !== null
        ? retryNote({ attempt: record.retryAttempt, reason: order.lastFailure })
        : null
    return [
      prepared.prompt,
      note,
      before === null ? null : answeredNote(before),
      told === null ? null : replyPrompt(told)
    ]
      .filter((text) => text !== null)
      .join("\n\n")
  })

type TurnEnd =
  | { readonly _tag: "EndOfTurn"; readonly tokens: Tokens }
  /** The agent did not end its turn although it was asked to; its sandbox will. */
  | { readonly _tag: "GaveUp" }
  | { readonly _tag: "Broken"; readonly failure: RunFailure }

/**
 * Why the issue is not to be worked on any more; null when it is. A file that is not there may be on its way through
 * an editor, and one that cannot be read says nothing: those are the scheduler's to judge, who sees more of them.
 */
const movedAway = (run: RunContext): Effect.Effect<CancelReason | null> =>
  currentIssue(run).pipe(
    Effect.map((issue) => (isGone(issue) && issue.reason !== "issue_missing" ? issue.reason : null)),
    Effect.catchTag("RunFailure", ({ message }) =>
      Effect.as(noteFailure(run, "issue not read", message), null)
    )
  )

/**
 * Prompts until the agent signals, asks for too long, uses up its turns, fails, or is cancelled. What was
 * signalled counts even when the turn then ends badly.
 */
export const converse = (
  run: RunContext,
  prepared: Prepared
): Effect.Effect<Conclusion, RunFailure | RunFenced, Scope.Scope> =>
  Effect.gen(function* () {
    const { mail, order } = run
    const { session } = prepared
    const { config } = order.workflow
    const maxTurns = policyOf(config.states, prepared.issue.state)?.maxTurns ?? config.agent.maxTurns
    const asked = yield* Ref.make<QuestionId | null>(null)

    const narration = yield* makeNarration((event) =>
      Effect.flatMap(Ref.get(run.turn), (number) => run.transcribe(number, event))
    )

    yield* session.events.pipe(
      Stream.runForEach((event) =>
        Effect.gen(function* () {
          yield* run.progress({
            lastEvent: event._tag,
            lastMessage: yield* narration.take(event),
            lastEventAt: yield* Clock.currentTimeMillis
          })
        })
      ),
      Effect.forkScoped
    )
    yield* Effect.addFinalizer(() => narration.finish)

    const cancelTurn = (grace: Duration.Duration) =>
      session.cancel.pipe(Effect.andThen(Effect.sleep(grace)), Effect.as<TurnEnd>({ _tag: "GaveUp" }))

    /** What was taken from the queue is noted, whatever interrupts us. */
    const noteQuestion = Effect.uninterruptibleMask((restore) =>
      restore(Queue.take(mail.questions)).pipe(Effect.flatMap((question) => Ref.set(asked, question)))
    )

    /** Returns when the turn is to be ended from our side and the agent has not done so. */
    const endedByUs = Effect.raceFirst(
      Deferred.await(mail.cancelled).pipe(
        Effect.flatMap((reason) => cancelTurn(reason === "shutdown" ? SHUTDOWN_CANCEL_GRACE : CANCEL_GRACE))
      ),
      Effect.raceFirst(Deferred.await(mail.done), noteQuestion).pipe(
        Effect.andThen(Effect.sleep(ENDING_GRACE)),
        Effect.andThen(cancelTurn(CANCEL_GRACE))
      )
    )

    const takeTurn = Effect.fnUntraced(function* (text: string, reply: Steering | null) {
      const number = yield* Ref.updateAndGet(run.turn, (n) => n + 1)
      yield* run.report({ _tag: "TurnStarted", turn: number, reply: reply?.question ?? null })
      yield* run.transcribe(number, { _tag: "Prompt", text })
      const prompt = session.prompt(text).pipe(
        Effect.result,
        Effect.map((result): TurnEnd =>
          Result.isSuccess(result)
            ? { _tag: "EndOfTurn", tokens: result.success.tokens }
            : { _tag: "Broken", failure: failureOf(result.failure) }
        )
      )
      const end: TurnEnd = yield* Effect.raceFirst(prompt, endedByUs)
      const told = end._tag === "EndOfTurn" ? end.tokens : unknownTokens
      yield* run.report({ _tag: "TurnEnded", turn: number, ...(yield* takeUsed(run, told)) })
      yield* narration.finish
      // Of a turn that ended badly nobody knows whether the agent has taken the reply up: it is sent again.
      if (reply !== null && end._tag === "EndOfTurn") {
        yield* run.report({ _tag: "SteeringDelivered", question: reply.question })
      }
      return end
    })

    const holdMs = config.agent.steeringHoldMs
    const waitForReply = Effect.raceFirst(
      Queue.take(mail.replies),
      Effect.raceFirst(
        Deferred.await(mail.cancelled).pipe(Effect.as(null)),
        Effect.sleep(Duration.millis(holdMs)).pipe(Effect.as(null))
      )
    )

    /** What the signals say after a turn; null when the agent has said nothing that ends the conversation. */
    const signalled = Effect.gen(function* () {
      if (yield* Deferred.isDone(mail.done)) return { _tag: "Done" } as const
      if (yield* Deferred.isDone(mail.cancelled)) return cancelled(yield* Deferred.await(mail.cancelled))
      return null
    })

    const first = order.steering
    let reply: Steering | null = first !== null && first.reply !== null ? first : null
    let text = yield* openingPrompt(run, prepared)
    let ownTurns = 0
    for (;;) {
      const end: TurnEnd = yield* takeTurn(text, reply)
      if (reply === null) ownTurns++
      reply = null
      const conclusion = yield* signalled
      if (conclusion !== null) return conclusion
      const stray = yield* Queue.clear(mail.questions)
      const question = (yield* Ref.getAndSet(asked, null)) ?? stray.at(-1) ?? null
      if (question !== null) {
        // The question stands, however the turn ended; without a living session the reply starts a new run.
        if (end._tag === "EndOfTurn") {
          yield* noteStage(run, "waiting for a human")
          reply = yield* waitForReply
        }
        if (reply === null) return (yield* signalled) ?? ended({ _tag: "Waiting", question })
        text = replyPrompt({ question: reply.text, context: reply.context, reply: reply.reply ?? "" })
        continue
      }
      if (end._tag === "Broken") return yield* end.failure
      const reason = yield* movedAway(run)
      if (reason !== null) return cancelled(reason)
      if (ownTurns >= maxTurns) return ended({ _tag: "Continue", reason: "max_turns" })
      text = continuationPrompt
    }
  })
