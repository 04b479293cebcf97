import {
  Cause,
  Clock,
  Context,
  Duration,
  Effect,
  Exit,
  Fiber,
  Logger,
  Random,
  References,
  Scheduler,
  type Scope
} from "effect"

/** A source of randomness with a seed: the same seed, the same numbers. */
export interface Dice {
  /** Between 0 (inclusive) and 1 (exclusive). */
  readonly next: () => number
  /** Whole, between both, inclusive. */
  readonly between: (low: number, high: number) => number
  readonly chance: (probability: number) => boolean
  readonly pick: <A>(items: readonly [A, ...Array<A>]) => A
}

export const makeDice = (seed: number): Dice => {
  let state = (seed ^ 0x9e3779b9) >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
  return {
    next,
    between: (low, high) => low + Math.floor(next() * (high - low + 1)),
    chance: (probability) => next() < probability,
    pick: (items) => items[Math.floor(next() * items.length)] ?? items[0]
  }
}

interface Timer {
  readonly at: number
  readonly seq: number
  readonly run: () => void
  /** Of the life it belongs to; 0: of the world. */
  readonly life: number
  cancelled: boolean
}

const before = (left: Timer, right: Timer): boolean =>
  left.at < right.at || (left.at === right.at && left.seq < right.seq)

/** A heap of timers, the earliest on top. */
const makeTimers = () => {
  const heap: Array<Timer> = []
  const at = (index: number): Timer => {
    const timer = heap[index]
    if (timer === undefined) throw new Error("no such timer")
    return timer
  }
  const swap = (left: number, right: number): void => {
    const kept = at(left)
    heap[left] = at(right)
    heap[right] = kept
  }
  return {
    top: () => heap[0],
    push: (timer: Timer): void => {
      heap.push(timer)
      for (let index = heap.length - 1; index > 0;) {
        const parent = (index - 1) >> 1
        if (!before(at(index), at(parent))) break
        swap(index, parent)
        index = parent
      }
    },
    pop: (): Timer | undefined => {
      const top = heap[0]
      const last = heap.pop()
      if (top === undefined || last === undefined || heap.length === 0) return top
      heap[0] = last
      for (let index = 0; ;) {
        let least = index
        for (const child of [2 * index + 1, 2 * index + 2]) {
          if (child < heap.length && before(at(child), at(least))) least = child
        }
        if (least === index) break
        swap(index, least)
        index = least
      }
      return top
    },
    all: (): ReadonlyArray<Timer> => heap
  }
}

/** One life of a program: dropped as a whole when it is killed. */
export interface Life<A> {
  /** What the program has set up; undefined until it stands. */
  readonly value: () => A | undefined
  /** Why it ended by itself. */
  readonly ended: () => Exit.Exit<unknown, unknown> | undefined
  /** Starts an effect in this life. */
  readonly fork: <B, E>(effect: Effect.Effect<B, E>) => Fiber.Fiber<B, E>
  /** Ends it as SIGTERM does: finalizers run, in their own time. */
  readonly stop: () => void
}

/**
 * A machine without real time: tasks run in the order in which they become ready, and when none is ready time
 * jumps to the next timer. Killing a program drops its tasks and its timers; none of its finalizers runs.
 */
export interface Machine {
  /** Milliseconds, as timers count them. */
  readonly now: () => number
  /** Epoch milliseconds, as the clock on the wall shows them: the same as `now` until it jumps. */
  readonly wall: () => number
  /** Sets the clock on the wall forward or back; timers know nothing of it. */
  readonly jump: (ms: number) => void
  /** Of the world: survives every life. */
  readonly after: (delayMs: number, run: () => void) => void
  /** Sets a program up; its scope is open until the life ends. */
  readonly start: <A>(program: Effect.Effect<A, unknown, Scope.Scope>) => Life<A>
  /** The life that runs now ends where it stands. */
  readonly kill: () => void
  /** Runs one task or jumps to the next timer not after `until`; false when there is none. */
  readonly step: (until: number) => boolean
  /** Runs until nothing is due before then. */
  readonly advance: (ms: number) => void
  /** Runs what is ready now. */
  readonly settle: () => void
  /** An I/O of the program: submitted, applied to the world, resumed; a life may end between any two. */
  readonly io: <B, E>(apply: () => Effect.Effect<B, E>, latencyMs?: () => number) => Effect.Effect<B, E>
  /** Timers of the present life that have not struck. */
  readonly sleeping: () => number
}

export interface MachineOptions {
  /** Epoch milliseconds. */
  readonly start?: number
  readonly dice?: Dice
  /** Runs what is ready in any order, not in the one in which it became so. */
  readonly shuffles?: boolean
  /** Operations after which a fiber lets others go on. */
  readonly opsBeforeYield?: number
  /** Silence by default. */
  readonly logLevel?: "Debug" | "Info" | "Warn" | "None"
  readonly logger?: Logger.Logger<unknown, unknown>
}

export const makeMachine = (options: MachineOptions = {}): Machine => {
  const dice = options.dice ?? makeDice(1)
  const maxOps = options.opsBeforeYield ?? 2048
  const timers = makeTimers()
  let time = options.start ?? Date.UTC(2026, 0, 1)
  let skew = 0
  let seq = 0
  let life = 0
  let ready: Array<() => void> = []
  let cursor = 0

  const schedule = (delayMs: number, of: number, run: () => void): Timer => {
    const timer: Timer = {
      at: time + Math.ceil(Math.max(0, delayMs)),
      seq: seq++,
      run,
      life: of,
      cancelled: false
    }
    timers.push(timer)
    return timer
  }

  const takeReady = (): (() => void) | undefined => {
    if (cursor >= ready.length) {
      ready = []
      cursor = 0
      return undefined
    }
    if (options.shuffles === true) {
      const last = ready.length - 1
      const chosen = cursor + Math.floor(dice.next() * (last - cursor + 1))
      const task = ready[chosen]
      const first = ready[cursor]
      if (task !== undefined && first !== undefined) [ready[cursor], ready[chosen]] = [task, first]
    }
    return ready[cursor++]
  }

  const step = (until: number): boolean => {
    const task = takeReady()
    if (task !== undefined) {
      task()
      return true
    }
    for (;;) {
      const top = timers.top()
      if (top === undefined || top.at > until) return false
      timers.pop()
      if (top.cancelled || (top.life !== 0 && top.life !== life)) continue
      time = Math.max(time, top.at)
      top.run()
      return true
    }
  }

  const runUntil = (until: number): void => {
    while (step(until)) continue
    time = Math.max(time, until)
  }

  const wall = (): number => time + skew

  const clockOf = (mine: number): Clock.Clock => ({
    currentTimeMillisUnsafe: wall,
    currentTimeMillis: Effect.sync(wall),
    currentTimeNanosUnsafe: () => BigInt(wall()) * 1_000_000n,
    currentTimeNanos: Effect.sync(() => BigInt(wall()) * 1_000_000n),
    monotonicTimeNanosUnsafe: () => BigInt(time) * 1_000_000n,
    monotonicTimeNanos: Effect.sync(() => BigInt(time) * 1_000_000n),
    sleep: (duration) => {
      const ms = Duration.toMillis(duration)
      if (ms <= 0) return Effect.yieldNow
      if (!Number.isFinite(ms)) return Effect.never
      return Effect.callback((resume) => {
        const timer = schedule(ms, mine, () => resume(Effect.void))
        return Effect.sync(() => {
          timer.cancelled = true
        })
      })
    }
  })

  const start = <A>(program: Effect.Effect<A, unknown, Scope.Scope>): Life<A> => {
    life += 1
    const mine = life
    ready = []
    cursor = 0
    const scheduler: Scheduler.Scheduler = {
      executionMode: "async",
      shouldYield: (fiber) => fiber.currentOpCount >= maxOps,
      makeDispatcher: () => ({
        scheduleTask: (task) => {
          if (mine === life) ready.push(task)
        },
        flush: () => undefined
      })
    }
    const services = Context.make(Scheduler.Scheduler, scheduler).pipe(
      Context.add(Clock.Clock, clockOf(mine)),
      Context.add(Random.Random, {
        nextDoubleUnsafe: dice.next,
        nextIntUnsafe: () => dice.between(Number.MIN_SAFE_INTEGER / 2, Number.MAX_SAFE_INTEGER / 2)
      }),
      Context.add(References.MinimumLogLevel, options.logLevel ?? "None"),
      options.logger === undefined
        ? (context) => context
        : Context.add(Logger.CurrentLoggers, new Set([options.logger]))
    )
    const fork = Effect.runForkWith(services)
    let value: A | undefined
    let exit: Exit.Exit<unknown, unknown> | undefined
    const main = fork(
      Effect.tap(program, (made) =>
        Effect.sync(() => {
          value = made
        })
      ).pipe(Effect.andThen(Effect.never), Effect.scoped)
    )
    main.addObserver((result) => {
      exit = result
    })
    return {
      value: () => value,
      ended: () => exit,
      fork: (effect) => fork(effect),
      stop: () => {
        fork(Fiber.interrupt(main))
      }
    }
  }

  return {
    now: () => time,
    wall,
    jump: (ms) => void (skew += ms),
    after: (delayMs, run) => void schedule(delayMs, 0, run),
    start,
    kill: () => {
      life += 1
      ready = []
      cursor = 0
    },
    step,
    advance: (ms) => runUntil(time + ms),
    settle: () => runUntil(time),
    io: (apply, latencyMs = () => 1) =>
      Effect.callback((resume) => {
        const mine = life
        let timer = schedule(latencyMs(), mine, () => {
          const done = apply()
          timer = schedule(latencyMs(), mine, () => resume(done))
        })
        return Effect.sync(() => {
          timer.cancelled = true
        })
      }),
    sleeping: () => timers.all().filter((timer) => timer.life === life && !timer.cancelled).length
  }
}

/** What an exit says, for a failed assertion. */
export const tellExit = (exit: Exit.Exit<unknown, unknown>): string =>
  Exit.isSuccess(exit) ? `ended with ${String(exit.value)}` : Cause.pretty(exit.cause)
