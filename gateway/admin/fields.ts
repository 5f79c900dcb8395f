// Reads the members of an operator's request one by one and refuses by name. Throws Refused: these
// calls are rare.
import { NAME_PATTERN } from "../../core/domain/order.ts";
import { timeIn } from "../../core/domain/time-in.ts";
import { echo, Problem, problem, Refused } from "../http/problem.ts";
import { isObject } from "../intake/check-order.ts";

const MAX_TEXT = 200;

export class Fields {
  private constructor(
    private readonly value: Record<string, unknown>,
    private readonly at: string,
  ) {}

  /** `known`: every allowed member; `at`: the object's path in the request, such as `items[3].`. */
  static of(value: unknown, known: readonly string[], at = ""): Fields {
    if (!isObject(value))
      throw new Refused(
        at === ""
          ? problem("not_an_object")
          : new Problem("wrong_type", at.slice(0, -1), "an object"),
      );
    for (const key in value)
      if (!known.includes(key)) throw new Refused(new Problem("unknown_field", at + echo(key)));
    return new Fields(value, at);
  }

  has(name: string): boolean {
    return this.value[name] !== undefined;
  }

  name(name: string): string {
    const text = this.string(name);
    if (!NAME_PATTERN.test(text))
      this.refuse("out_of_range", name, `must match ${NAME_PATTERN.source}`);
    return text;
  }

  /** Text for people: not empty, one line. */
  text(name: string): string {
    const text = this.string(name);
    if (text.trim() === "" || text.length > MAX_TEXT || /\p{Cc}|\p{Cs}/u.test(text))
      this.refuse("out_of_range", name, `1 to ${MAX_TEXT} characters on one line`);
    return text;
  }

  /** Whether the member is `true`; anything but true and false is refused. */
  isTrue(name: string): boolean {
    const value = this.value[name];
    if (value !== undefined && typeof value !== "boolean")
      this.refuse("wrong_type", name, "true or false");
    return value === true;
  }

  whole(name: string, least: number, most: number): number {
    const number = this.value[name];
    if (number === undefined) this.refuse("missing_field", name);
    if (typeof number !== "number") this.refuse("wrong_type", name, "a number");
    if (!Number.isInteger(number) || number < least || number > most)
      this.refuse("out_of_range", name, `a whole number from ${least} to ${most}`);
    return number;
  }

  /** An RFC 3339 time as Unix ms. */
  time(name: string): number {
    const text = this.string(name);
    const ms = timeIn(text);
    if (Number.isNaN(ms))
      this.refuse(
        "out_of_range",
        name,
        "an RFC 3339 time with a zone, such as 2027-01-31T10:00:00Z",
      );
    return ms;
  }

  list(name: string, least: number, most: number): readonly unknown[] {
    const list = this.value[name];
    if (list === undefined) this.refuse("missing_field", name);
    if (!Array.isArray(list)) this.refuse("wrong_type", name, "an array");
    if (list.length < least || list.length > most)
      this.refuse("out_of_range", name, `${least} to ${most} entries`);
    return list;
  }

  refuse(
    code: "missing_field" | "wrong_type" | "out_of_range" | "unknown_currency" | "duplicate_item",
    name: string,
    detail?: string,
  ): never {
    throw new Refused(new Problem(code, this.at + name, detail));
  }

  string(name: string): string {
    const text = this.value[name];
    if (text === undefined) this.refuse("missing_field", name);
    if (typeof text !== "string") this.refuse("wrong_type", name, "a string");
    return text;
  }
}
