// The minimum that an HTTP route can do with an order: parse it and answer 202. Prints its port,
// and ends with its input.
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  routes: {
    "/v1/orders": {
      POST: async (request) => {
        const { id } = (await request.json()) as { id: string };
        return Response.json({ id, status: "accepted" }, { status: 202 });
      },
    },
  },
});
console.log(server.port);
for await (const _ of Bun.stdin.stream());
process.exit(0);

export {};
