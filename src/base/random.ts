/**
 * The random generator of synthetic data and of training: sfc32 (Chris Doty-Humphrey, PractRand). It uses 32-bit integer arithmetic
 * only, so that a seed gives the same bytes on every machine. Not cryptographically secure.
 */
export class Random {
  /** The seed is three words, and one more for many streams; different seeds give independent streams. */
  constructor(
    private a: number,
    private b: number,
    private c: number,
    private counter = 1,
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

  /** Normal, with mean 0 and variance 1 (Box and Muller). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log((this.word() + 1) / 2 ** 32));
    return radius * Math.cos(this.between(0, 2 * Math.PI));
  }

  /** Gamma with the shape `alpha` above 0 and the scale 1 (Marsaglia and Tsang 2000). */
  gamma(alpha: number): number {
    if (alpha < 1) return this.gamma(alpha + 1) * ((this.word() + 1) / 2 ** 32) ** (1 / alpha);
    const d = alpha - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = this.normal();
      const v = (1 + c * x) ** 3;
      const u = (this.word() + 1) / 2 ** 32;
      if (v > 0 && Math.log(u) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
    }
  }

  /** Beta(alpha, alpha), from 0 to 1. */
  beta(alpha: number): number {
    const [a, b] = [this.gamma(alpha), this.gamma(alpha)];
    return a + b > 0 ? a / (a + b) : 0.5;
  }

  /** One of -1 and 1. */
  sign(): number {
    return this.word() & 1 ? 1 : -1;
  }
}
