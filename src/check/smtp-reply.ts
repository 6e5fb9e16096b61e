/** SMTP replies (RFC 5321 4.2) from bytes as they come. Pure and bounded: the peer is hostile. */

export interface SmtpReply {
  readonly code: number;
  /** Text after the codes, lines joined by blanks, cut short, printable. */
  readonly text: string;
}
export type SmtpProblem = { readonly problem: string };

/** RFC 5321 4.5.3.1.5 says 512 with CR LF; some servers exceed it. */
const MAX_LINE = 2_048;
const MAX_TOTAL = 65_536;
const MAX_TEXT = 120;

export class SmtpReplies {
  #line = "";
  #total = 0;
  #code: number | undefined;
  #text = "";

  /** True when bytes of a further reply have come already. */
  get begun(): boolean {
    return this.#line !== "" || this.#code !== undefined;
  }

  /** The complete replies in these bytes, a problem last if there is one: nothing can be read after it. */
  push(bytes: Uint8Array): (SmtpReply | SmtpProblem)[] {
    const out: (SmtpReply | SmtpProblem)[] = [];
    this.#total += bytes.length;
    if (this.#total > MAX_TOTAL) return [{ problem: `more than ${MAX_TOTAL} bytes of replies` }];
    for (const byte of bytes) {
      if (byte !== 10) {
        if (this.#line.length >= MAX_LINE)
          return [...out, { problem: `a line longer than ${MAX_LINE} bytes` }];
        this.#line += String.fromCharCode(byte);
        continue;
      }
      const line = this.#line.replace(/\r$/, "");
      this.#line = "";
      const reply = this.#onLine(line);
      if (reply !== undefined) out.push(reply);
      if (reply !== undefined && "problem" in reply) return out;
    }
    return out;
  }

  #onLine(line: string): SmtpReply | SmtpProblem | undefined {
    const match = /^([2-5][0-9]{2})([ -]|$)(.*)$/.exec(line);
    if (match === null)
      return { problem: `not an SMTP reply: ${JSON.stringify(printable(line).slice(0, 60))}` };
    const code = Number(match[1]);
    if (this.#code !== undefined && this.#code !== code)
      return { problem: `a reply that is ${this.#code} and ${code}` };
    if (this.#text.length < MAX_TEXT) this.#text += ` ${printable(match[3]!)}`;
    this.#code = match[2] === "-" ? code : undefined;
    if (this.#code !== undefined) return undefined;
    const text = this.#text.trim().slice(0, MAX_TEXT);
    this.#text = "";
    return { code, text };
  }
}

const printable = (text: string): string => text.replace(/[^\x20-\x7e]/g, "?");
