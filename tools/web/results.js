// What was checked, a line each, and how it ended.

/** The results of all checks, told as they come in. */
export class Results {
  passed = 0;
  failed = 0;

  /** Says what was checked, and all that is wrong with it. */
  say(what, problems) {
    if (problems.length === 0) {
      this.passed += 1;
      console.log(`ok      ${what}`);
      return;
    }
    this.failed += 1;
    console.log(`FAILED  ${what}`);
    for (const problem of new Set(problems)) console.log(`        ${problem}`);
  }

  /** The last line, in the words of cargo's tests. */
  summary() {
    const outcome = this.failed === 0 && this.passed > 0 ? 'ok' : 'FAILED';
    console.log(`\ntest result: ${outcome}. ${this.passed} passed; ${this.failed} failed`);
    return outcome === 'ok';
  }
}
