import { Effect } from "effect"
import { IssueId } from "../../src/domain/ids.ts"
import { type OperatorCommand, Scheduler } from "../../src/scheduler/Scheduler.ts"
import type { Fault } from "./coverage.ts"
import type { FolderFile } from "./folder.ts"
import { Violation } from "./Ledger.ts"
import { drawSettings } from "./settings.ts"
import { HOUR, MINUTE, type World } from "./World.ts"

const STATES = ["Todo", "In Progress", "Review", "Triage", "Done", "Cancelled"] as const
const ACTIVE = /^(Todo|In Progress|Review)$/

interface Answer {
  readonly issue: string
  readonly question: string
  readonly text: string
}

/** Those who have the tracker's folder and the dashboard before them. */
export const makePeople = (world: World) => {
  const { dice, folder, ledger, machine } = world
  /** How many files of each name people have made and not deleted. */
  const copies = new Map<string, number>()
  const deleted = new Set<string>()
  /** Names that more than one file has had at some time. */
  const namesakes = new Set<string>()
  /** When somebody last did more with an issue's file than save it. */
  const takenAway = new Map<string, number>()
  /** Put aside by an editor that is about to write them anew. */
  const aside = new Set<string>()
  /** When they were last: nobody saves the same file all the time. */
  const savedAside = new Map<string, number>()
  /** Saved in the midst of a move, and two files until it is taken up again. */
  const halfSaved = new Set<string>()
  const answers: Array<Answer> = []
  const begin = machine.now()
  const faultsEnd = begin + world.plan.faultHours * HOUR

  const order = (
    command: OperatorCommand,
    fault: Fault | null,
    accepted: () => void = () => undefined
  ): void => {
    world.fork(
      Effect.flatMap(Scheduler, (scheduler) => scheduler.command(command)),
      (exit) => {
        if (exit._tag !== "Success") return
        if (fault !== null) world.hit(fault, JSON.stringify(command))
        accepted()
      }
    )
  }

  const arrive = (number: number): void => {
    // An agent's proposal may have taken the number in the meantime.
    const taken = new Set(folder.files().map((file) => file.name))
    let name = `T-${number}`
    while (taken.has(name)) name = `${name}-b`
    const blockers = dice.chance(0.15) && number > 2 ? [`T-${dice.between(1, number - 1)}`] : []
    copies.set(name, 1)
    world.trace(`person creates ${name}`)
    folder.write(`${dice.chance(0.8) ? "Todo" : "In Progress"}/${name}.md`, {
      title: `Issue ${number}`,
      priority: dice.chance(0.5) ? dice.between(1, 4) : null,
      createdAt: dice.chance(0.8) ? "2026-01-01T00:00:00.000Z" : null,
      blockedBy: blockers
    })
  }

  const anyFile = (): FolderFile | undefined => {
    const files = folder.files().filter((file) => !file.spoiled && copies.has(file.name))
    const lively = files.filter((file) => ACTIVE.test(file.state))
    const from = lively.length > 0 && dice.chance(0.8) ? lively : files
    return from[dice.between(0, from.length - 1)]
  }

  /** Whether a move on record is to put the issue there. */
  const isGoingTo = ({ name, state }: FolderFile): boolean =>
    ledger.issues.get(name)?.relocation?.to === state ||
    [...ledger.runs.values()].some((run) => run.issue === name && run.move?.to === state)

  const countCopy = (name: string): void => {
    copies.set(name, (copies.get(name) ?? 0) + 1)
    namesakes.add(name)
    halfSaved.delete(name)
  }

  /**
   * Saving the old name of a file that is half-way through our move makes two files until the move is taken up
   * again and yields. Saving the new name makes two for good: after a crash nobody can tell that file from one
   * that was there before.
   */
  const saving = (path: string): void => {
    const file = folder.files().find((each) => each.path === path)
    if (file === undefined) return
    const isHalf = folder.files().some((each) => each.inode === file.inode && each.path !== path)
    if ((isHalf || halfSaved.has(file.name)) && isGoingTo(file)) countCopy(file.name)
    else if (isHalf) {
      halfSaved.add(file.name)
      namesakes.add(file.name)
    }
  }

  const free = (path: string): boolean => !folder.files().some((file) => file.path === path)

  const meddle = (): void => {
    const file = anyFile()
    if (file === undefined) return
    const roll = dice.between(0, 99)
    if (roll >= 30 && roll < 88) takenAway.set(file.name, machine.now())
    if (roll < 30) {
      world.hit("person edits", file.path)
      saving(file.path)
      folder.edit(file.path, `Edited ${dice.between(1, 1_000_000)}`)
    } else if (roll < 60) {
      const to = `${dice.pick(STATES)}/${file.name}.md`
      if (!free(to)) return
      world.hit("person moves", `${file.path} to ${to}`)
      if (halfSaved.has(file.name)) countCopy(file.name)
      folder.move(file.path, to)
    } else if (roll < 70) {
      const to = `${dice.pick(STATES)}/${file.name}.md`
      if (!free(to)) return
      world.hit("person duplicates", `${file.path} to ${to}`)
      copies.set(file.name, (copies.get(file.name) ?? 0) + 1)
      namesakes.add(file.name)
      folder.copy(file.path, to)
    } else if (roll < 78) {
      world.hit("person deletes", file.path)
      for (const each of folder.files()) if (each.name === file.name) folder.remove(each.path)
      copies.delete(file.name)
      halfSaved.delete(file.name)
      deleted.add(file.name)
    } else if (roll < 88) {
      world.hit("person spoils", file.path)
      saving(file.path)
      folder.spoil(file.path)
      machine.after(dice.between(1_000, 60 * MINUTE), () => mend(file.path))
    } else {
      const other = anyFile()
      if (other === undefined || other.name === file.name) return
      const circle = dice.chance(0.4)
      world.hit(circle ? "person blocks in a circle" : "person blocks", `${file.name} by ${other.name}`)
      saving(file.path)
      folder.block(file.path, [other.name])
      if (circle && !free(other.path)) {
        saving(other.path)
        folder.block(other.path, [file.name])
      }
    }
  }

  /** Some editors write a file anew under its name, and it is nowhere meanwhile. */
  const saveAside = (name: string, ms: number): void => {
    const [file, other] = folder.files().filter((each) => each.name === name)
    if (file === undefined || other !== undefined || file.spoiled || !copies.has(name)) return
    if (machine.now() - (savedAside.get(name) ?? -Infinity) < MINUTE) return
    savedAside.set(name, machine.now())
    world.hit("person puts aside", file.path)
    aside.add(name)
    const putBack = folder.putAside(file.path)
    machine.after(ms, () => {
      aside.delete(name)
      world.trace(`person writes ${file.path} anew`)
      putBack()
    })
  }

  const mend = (path: string): void => {
    if (folder.files().some((file) => file.path === path && file.spoiled)) {
      world.trace(`person mends ${path}`)
      saving(path)
      folder.mend(path)
      takenAway.set(path.replace(/^.*\//, "").replace(/\.md$/, ""), machine.now())
    }
  }

  /** Open questions get their answers; `early` ones while the turn that asked goes on. */
  const answer = (only: string | null): void => {
    const state = world.view()?.state
    if (state === undefined) return
    for (const record of Object.values(state.issues)) {
      const { steering } = record
      if (steering === null || steering.reply !== null) continue
      if (only === null ? world.isFaulty() && dice.chance(0.5) : record.identifier !== only) continue
      const text = `reply to ${steering.question}`
      order(
        { _tag: "Answer", issue: record.id, question: steering.question, text },
        only === null ? "operator answers" : "operator answers early",
        () => {
          const known = ledger.issueOf(record.id).question
          if (known?.id === steering.question && known.reply !== text)
            throw new Violation(
              "intent, effect, result",
              `the answer to ${steering.question} is taken and not journaled`
            )
          machine.after(1_000, () => {
            const now = world.view()?.state.issues[record.id]?.steering
            if (now?.question === steering.question && now.reply === null)
              world.fail(
                new Violation(
                  "replies reach the agent",
                  `the answer to ${steering.question} is taken and forgotten`
                )
              )
          })
          answers.push({ issue: record.id, question: steering.question, text })
        }
      )
    }
  }

  const operate = (): void => {
    const view = world.view()
    if (view === undefined) return
    const ids = [...view.observation.tracker.byId.keys()]
    const running = Object.values(view.state.runs)
    const id = ids[dice.between(0, ids.length - 1)] ?? IssueId.make("none")
    const live = running[dice.between(0, running.length - 1)]?.issue ?? id
    const roll = dice.between(0, 99)
    if (roll < 15) {
      order({ _tag: "Pause" }, "operator pauses")
      machine.after(dice.between(MINUTE, 30 * MINUTE), () => order({ _tag: "Resume" }, null))
    } else if (roll < 25) {
      order({ _tag: "Drain" }, "operator drains")
      machine.after(dice.between(MINUTE, 30 * MINUTE), () => order({ _tag: "Resume" }, null))
    } else if (roll < 45) {
      order({ _tag: "Stop", issue: dice.chance(0.7) ? live : id }, "operator stops an issue")
    } else if (roll < 70) {
      const held = Object.values(view.state.issues).find(
        (record) => record.hold !== null || record.retry !== null
      )
      if (held?.hold?.reason === "handoff" && dice.chance(0.5)) {
        order({ _tag: "HandOver", issue: held.id }, "operator hands over")
      } else order({ _tag: "RetryNow", issue: held?.id ?? id }, "operator retries")
    } else if (roll < 75) {
      order({ _tag: "Review", issue: id }, "operator reviews")
    } else {
      order({ _tag: "Move", issue: dice.chance(0.5) ? live : id, to: dice.pick(STATES) }, "operator moves")
    }
  }

  const reconfigure = (): void => {
    if (dice.chance(0.25)) {
      world.hit("config rejected")
      return world.configure(null)
    }
    const before = world.settings()
    const after = drawSettings(dice)
    world.hit("config accepted", JSON.stringify(after))
    if (after.cap < before.cap) world.hit("config cap lowered")
    if (after.reviewRole !== before.reviewRole) world.hit("config role changed")
    if (after.reviewAdapter !== before.reviewAdapter) world.hit("config adapter changed")
    world.configure(after)
  }

  const often = (every: number, what: () => void): void => {
    const next = (): void => {
      machine.after(dice.between(every / 2, every * 1.5), () => {
        if (machine.now() >= faultsEnd) return
        what()
        next()
      })
    }
    next()
  }

  /** Everybody goes home; what they have left lying about is put right. */
  const tidy = (): void => {
    world.trace("everything is put right")
    for (const file of folder.files()) if (file.spoiled) mend(file.path)
    for (const [name, count] of copies) {
      if (count <= 1) continue
      const [kept, ...others] = folder.files().filter((file) => file.name === name)
      for (const extra of others) if (extra.inode !== kept?.inode) folder.remove(extra.path)
      copies.set(name, 1)
      halfSaved.delete(name)
    }
    const calm = (): void => {
      if (machine.now() > faultsEnd + world.plan.restHours * HOUR) return
      order({ _tag: "Resume" }, null)
      answer(null)
      machine.after(10 * MINUTE, calm)
    }
    calm()
  }

  return {
    begin: (): void => {
      for (let number = 1; number <= world.plan.issues; number++) {
        machine.after(dice.between(0, 0.8 * world.plan.faultHours * HOUR), () => arrive(number))
      }
      often(25 * MINUTE, meddle)
      often(40 * MINUTE, operate)
      often(10 * MINUTE, () => answer(null))
      often(2 * HOUR, reconfigure)
      machine.after(world.plan.faultHours * HOUR, tidy)
    },
    saveAside,
    /** Of the simulated time; never: minus infinity. What is there twice is away for as long. */
    takenAwayAt: (name: string): number =>
      (copies.get(name) ?? 0) > 1 ? Infinity : (takenAway.get(name) ?? -Infinity),
    answerEarly: (identifier: string): void => answer(identifier),
    /** No issue is lost, none is there twice. */
    checkFiles: (files: ReadonlyArray<FolderFile>): void => {
      const inodes = new Map<string, Set<string>>()
      for (const file of files) {
        const known = inodes.get(file.name) ?? new Set()
        known.add(file.inode)
        inodes.set(file.name, known)
      }
      for (const [name, expected] of copies) {
        const found = inodes.get(name)?.size ?? 0
        if (found === 0 && !aside.has(name)) throw new Violation("no issue is lost", name)
        if (found <= expected) halfSaved.delete(name)
        else if (found > expected + (halfSaved.has(name) ? 1 : 0))
          throw new Violation("no issue is doubled", `${name}: ${found} files, ${expected} made`)
      }
      for (const name of inodes.keys()) {
        if (copies.has(name) || deleted.has(name)) continue
        const file = files.find((each) => each.name === name)
        if (file?.state !== "Triage")
          throw new Violation("proposals wait for a person", `${name} in ${file?.state}`)
        copies.set(name, 1)
      }
    },
    /** Whether its name may have been taken where its file was to go. */
    hadNamesake: (name: string): boolean => namesakes.has(name),
    /** At rest a file has one name. */
    checkNames: (files: ReadonlyArray<FolderFile>): void => {
      for (const name of halfSaved) throw new Violation("no issue is doubled", `${name} stays two files`)
      const paths = new Map<string, string>()
      for (const { inode, path } of files) {
        const other = paths.get(inode)
        if (other !== undefined) throw new Violation("no issue is doubled", `${path} is also ${other}`)
        paths.set(inode, path)
      }
    },
    /** Every answer that was taken has reached an agent, or is kept, or was overtaken by the end of the work. */
    checkAnswers: (): void => {
      const state = world.view()?.state
      if (state === undefined) return
      for (const { issue, question } of answers) {
        const known = ledger.issueOf(issue).question
        if (known?.id !== question) continue
        if (state.issues[issue]?.steering?.question !== question)
          throw new Violation("replies reach the agent", `the reply to ${question} is lost`)
      }
    }
  }
}
export type People = ReturnType<typeof makePeople>
