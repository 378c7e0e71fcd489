import com.azure.communication.chat.ChatThreadClient;
import com.azure.communication.chat.models.SendChatMessageOptions;
import com.azure.communication.chat.models.UpdateChatMessageOptions;
import java.util.Map;

/** The metadata of messages, which the releases before 1.1 do not compile with. */
final class Metadata {
    private Metadata() {}

    static String send(ChatThreadClient thread, String content, Map<String, String> metadata) {
        return thread.sendMessage(
                        new SendChatMessageOptions().setContent(content).setMetadata(metadata))
                .getId();
    }

    static void update(ChatThreadClient thread, String messageId, Map<String, String> metadata) {
        thread.updateMessage(messageId, new UpdateChatMessageOptions().setMetadata(metadata));
    }

    static Map<String, String> of(ChatThreadClient thread, String messageId) {
        return thread.getMessage(messageId).getMetadata();
    }
}
