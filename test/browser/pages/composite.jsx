// The published ChatComposite, as an application shows it to one user in one thread.
import { createRoot } from "react-dom/client";

import { AzureCommunicationTokenCredential } from "@azure/communication-common";
import { ChatComposite, createAzureCommunicationChatAdapter } from "@azure/communication-react";

window.showChat = async ({ endpoint, user, token, displayName, thread }) => {
  const adapter = await createAzureCommunicationChatAdapter({
    endpoint,
    userId: { communicationUserId: user },
    displayName,
    credential: new AzureCommunicationTokenCredential(token),
    threadId: thread,
  });
  createRoot(document.getElementById("root")).render(
    <div style={{ height: "100vh" }}>
      <ChatComposite adapter={adapter} />
    </div>,
  );
};
