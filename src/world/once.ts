/** Makes a thing when it is first asked for; `made` tells whether it has been. */
export interface Once<T> {
  (): Promise<T>;
  made(): Promise<T> | undefined;
}

/** What could not be made is made anew when it is asked for again. */
export function once<T>(make: () => Promise<T>): Once<T> {
  let made: Promise<T> | undefined;
  const get = () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
  return Object.assign(get, { made: () => made });
}

interface Started {
  start(): Promise<void>;
  close(): Promise<void>;
}

/** The same for what has to be started before it is used. */
export function onceStarted<T extends Started>(make: () => Promise<T>): Once<T> {
  return once(async () => {
    const made = await make();
    try {
      await made.start();
    } catch (error) {
      await made.close();
      throw error;
    }
    return made;
  });
}
