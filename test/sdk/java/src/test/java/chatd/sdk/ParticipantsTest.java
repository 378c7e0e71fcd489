package chatd.sdk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.azure.communication.chat.models.AddChatParticipantsResult;
import com.azure.communication.chat.models.ChatError;
import com.azure.communication.chat.models.ChatMessage;
import com.azure.communication.chat.models.ChatMessageType;
import com.azure.communication.chat.models.ChatParticipant;
import com.azure.communication.chat.models.InvalidParticipantException;
import com.azure.communication.chat.models.ListParticipantsOptions;
import com.azure.communication.common.CommunicationUserIdentifier;
import com.azure.core.util.Context;
import java.time.OffsetDateTime;
import java.time.temporal.ChronoUnit;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

@ParameterizedClass
@EnumSource
class ParticipantsTest extends SdkTest {
    ParticipantsTest(Transport transport) {
        super(transport);
    }

    @Test
    void participantsComeInPages() {
        Person ada = person("Ada");
        Person ben = person("Ben");
        Person cleo = person("Cleo");
        Person dan = person("Dan");
        String threadId = thread("Pages", ada, ben, cleo, dan);

        ListParticipantsOptions byTwo = new ListParticipantsOptions().setMaxPageSize(2);
        List<List<ChatParticipant>> pages = pages(ben.in(threadId).listParticipants(byTwo, Context.NONE));

        assertEquals(
                List.of(List.of(ada.id(), ben.id()), List.of(cleo.id(), dan.id())),
                pages.stream().map(SdkTest::idsOf).toList());
        byTwo.setSkip(3);
        assertEquals(List.of(dan.id()), idsOf(ben.in(threadId).listParticipants(byTwo, Context.NONE)));
    }

    @Test
    void participantOfCreationSharesTheWholeHistory() {
        Person ada = person("Ada");
        String threadId = thread("History", ada, person("Ben"));
        assertEquals(
                List.of(EPOCH, EPOCH),
                ada.in(threadId).listParticipants().stream()
                        .map(ChatParticipant::getShareHistoryTime)
                        .toList());
    }

    @Test
    void newcomerSeesOnlyWhatIsNew() {
        Person ada = person("Ada");
        Person ben = person("Ben");
        Person cleo = person("Cleo");
        String threadId = thread("Newcomer", ada, ben);
        String old = send(ada, threadId, "before");

        OffsetDateTime shareHistoryTime = justAfter(old);
        ada.in(threadId).addParticipant(cleo.participant().setShareHistoryTime(shareHistoryTime));
        String recent = send(ben, threadId, "after");

        List<ChatMessage> seen = all(cleo.in(threadId).listMessages());
        assertEquals(2, seen.size());
        assertEquals(recent, seen.get(0).getId());
        assertEquals("after", seen.get(0).getContent().getMessage());
        assertEquals(ChatMessageType.PARTICIPANT_ADDED, seen.get(1).getType());
        assertEquals(List.of(cleo.id()), idsOf(seen.get(1).getContent().getParticipants()));
        assertEquals(ada.id(), idOf(seen.get(1).getContent().getInitiator()));
        assertStatus(404, () -> cleo.in(threadId).getMessage(old));

        List<ChatParticipant> participants = all(cleo.in(threadId).listParticipants());
        assertEquals(List.of(ada.id(), ben.id(), cleo.id()), idsOf(participants));
        assertEquals("Cleo", participants.get(2).getDisplayName());
        assertEquals(
                shareHistoryTime.truncatedTo(ChronoUnit.SECONDS),
                participants.get(2).getShareHistoryTime().truncatedTo(ChronoUnit.SECONDS));
    }

    @Test
    void removedParticipantMayNoLongerTakePart() {
        Person ada = person("Ada");
        Person ben = person("Ben");
        Person cleo = person("Cleo");
        String threadId = thread("Removal", ada, ben, cleo);

        ada.in(threadId).removeParticipant(cleo.user());

        assertEquals(List.of(ada.id(), ben.id()), idsOf(ada.in(threadId).listParticipants()));
        assertStatus(403, () -> send(cleo, threadId, "still here"));
        assertStatus(403, () -> all(cleo.in(threadId).listParticipants()));

        ChatMessage latest = all(ben.in(threadId).listMessages()).get(0);
        assertEquals(ChatMessageType.PARTICIPANT_REMOVED, latest.getType());
        assertEquals(List.of(cleo.id()), idsOf(latest.getContent().getParticipants()));
        assertEquals(ada.id(), idOf(latest.getContent().getInitiator()));
    }

    @Test
    void addingTellsWhichParticipantsAreInvalid() {
        Person ada = person("Ada");
        Person ben = person("Ben");
        String threadId = thread("Invalid", ada);
        CommunicationUserIdentifier stranger = foreignUser();
        ChatParticipant invalid = new ChatParticipant().setCommunicationIdentifier(stranger);

        AddChatParticipantsResult result =
                ada.in(threadId).addParticipants(List.of(invalid, ben.participant()));

        assertEquals(1, result.getInvalidParticipants().size());
        assertInvalid(stranger, result.getInvalidParticipants().get(0));
        assertEquals(List.of(ada.id(), ben.id()), idsOf(ada.in(threadId).listParticipants()));

        InvalidParticipantException refusal = assertThrows(
                InvalidParticipantException.class, () -> ada.in(threadId).addParticipant(invalid));
        assertInvalid(stranger, refusal.getChatError());
    }

    @Test
    void addingAgainChangesNothing() {
        Person ada = person("Ada");
        Person ben = person("Ben");
        String threadId = thread("Twice", ada, ben);
        AddChatParticipantsResult result = ada.in(threadId).addParticipants(List.of(ben.participant()));
        List<ChatError> invalid = result.getInvalidParticipants();
        assertTrue(invalid == null || invalid.isEmpty(), () -> invalid + " is not empty");
        assertEquals(List.of(ada.id(), ben.id()), idsOf(ada.in(threadId).listParticipants()));
    }

    private static void assertInvalid(CommunicationUserIdentifier user, ChatError error) {
        assertEquals("403", error.getCode());
        assertEquals(user.getId(), error.getTarget());
    }
}
