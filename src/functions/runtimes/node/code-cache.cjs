'use strict';

/** Uses V8 code made at deploy time, if there is some; returns what ends the use. */
function useCodeCache(_settings) {
  return () => {};
}

module.exports = { useCodeCache };
