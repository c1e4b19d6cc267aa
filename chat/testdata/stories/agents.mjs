// The agents of a support desk, who sign in with tokens that expire.
import { createHmac } from "node:crypto";
import { Person } from "./story.mjs";

const secret = "the secret of the support desk, 32 bytes";

// token is what the app's own login gives an agent: a JSON Web Token, which expires at a whole second.
export const token = (name, { seconds = 3600, ...claims } = {}) => {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.ceil(Date.now() / 1000 + seconds);
  const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub: name.toLowerCase(), name, exp, ...claims })}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
};
// agent is somebody who has arrived with a token.
export const agent = (name, claims) => new Person(name, { token: token(name, claims) }).arrives();
