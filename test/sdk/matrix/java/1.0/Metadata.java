import com.azure.communication.chat.ChatThreadClient;
import java.util.Map;

/** Messages had no metadata yet. */
final class Metadata {
    private Metadata() {}

    static String send(ChatThreadClient thread, String content, Map<String, String> metadata) {
        throw new UnsupportedOperationException();
    }

    static void update(ChatThreadClient thread, String messageId, Map<String, String> metadata) {
        throw new UnsupportedOperationException();
    }

    static Map<String, String> of(ChatThreadClient thread, String messageId) {
        throw new UnsupportedOperationException();
    }
}
