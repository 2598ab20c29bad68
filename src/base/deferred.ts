/** A promise that others settle. */
export class Deferred<T> {
  readonly promise: Promise<T>;
  /** Settle it, unless it is settled already. */
  resolve!: (value: T) => void;
  reject!: (reason: Error) => void;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}
