import type { IncomingMessage, ServerResponse } from 'node:http';

/** One of the interfaces behind the front door. */
export interface FrontEnd {
  readonly name: string;
  /** True when this request is for this interface. Cheap: looks at headers and path only. */
  matches(request: IncomingMessage): boolean;
  /** Answers the request, whatever happens. Never rejects. */
  handle(request: IncomingMessage, response: ServerResponse): void;
}
