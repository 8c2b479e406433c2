/**
 * The random generator of synthetic data: sfc32 (Chris Doty-Humphrey, PractRand). It uses 32-bit integer arithmetic
 * only, so that a seed gives the same bytes on every machine. Not cryptographically secure.
 */
export class Random {
  private counter = 1;

  /** The seed is three words; different seeds give independent streams. */
  constructor(
    private a: number,
    private b: number,
    private c: number,
  ) {
    // As in PractRand: seeds may differ in few bits, so the state is mixed before the first draw.
    for (let i = 0; i < 15; i++) this.word();
  }

  /** Uniform over 0 ... 2^32 - 1. */
  word(): number {
    const sum = (this.a + this.b + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** Uniform in [low, high). */
  between(low: number, high: number): number {
    return low + (high - low) * (this.word() / 2 ** 32);
  }

  /** Uniform over 0 ... n - 1, up to a bias of n / 2^32. */
  below(n: number): number {
    return ((this.word() / 2 ** 32) * n) >>> 0;
  }

  /** One of -1 and 1. */
  sign(): number {
    return this.word() & 1 ? 1 : -1;
  }
}
