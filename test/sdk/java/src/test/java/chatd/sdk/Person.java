package chatd.sdk;

import com.azure.communication.chat.ChatClient;
import com.azure.communication.chat.ChatThreadClient;
import com.azure.communication.chat.models.ChatParticipant;
import com.azure.communication.common.CommunicationUserIdentifier;

/** A user with a chat client that speaks as that user. */
record Person(String name, CommunicationUserIdentifier user, ChatClient chat) {
    String id() {
        return user.getId();
    }

    ChatParticipant participant() {
        return new ChatParticipant().setCommunicationIdentifier(user).setDisplayName(name);
    }

    ChatThreadClient in(String threadId) {
        return chat.getChatThreadClient(threadId);
    }
}
