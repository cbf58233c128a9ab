/** Makes a thing when it is first asked for; `made` tells whether it has been. */
export interface Once<T> {
  (): Promise<T>;
  made(): Promise<T> | undefined;
}

export function once<T>(make: () => Promise<T>): Once<T> {
  let made: Promise<T> | undefined;
  const get = () => {
    made ??= make();
    return made;
  };
  return Object.assign(get, { made: () => made });
}

interface Started {
  start(): Promise<void>;
}

/** The same for what has to be started before it is used. */
export function onceStarted<T extends Started>(make: () => Promise<T>): Once<T> {
  return once(async () => {
    const made = await make();
    await made.start();
    return made;
  });
}
