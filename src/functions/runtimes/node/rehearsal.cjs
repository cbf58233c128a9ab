// What a runtime runs once before it waits for its function (bootstrap.cjs).
exports.handler = async (event) => {
  console.log('rehearsal', event);
  return event;
};
