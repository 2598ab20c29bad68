/**
 * Run what a setting asks for; what goes wrong becomes the cause of an Error whose
 * message is the setting's path, so that an operator knows which one to change.
 */
export async function blameSetting<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    throw new Error(path, { cause });
  }
}
