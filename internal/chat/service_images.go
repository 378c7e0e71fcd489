package chat

import "context"

// UploadImage keeps an image for messages of the thread.
func (s *Service) UploadImage(ctx context.Context, actor Identity, id ThreadID, in NewImage) (*Image, error) {
	a, err := s.member(ctx, id, actor)
	if err != nil {
		return nil, err
	}
	if a.Thread.TextOnly {
		return nil, errTextOnly()
	}
	image, err := newImage(actor, newImageID(s.random), in, s.now())
	if err != nil {
		return nil, err
	}
	image.Roster = a.Thread.Roster
	return image, s.store.AddImage(ctx, a.Thread.Key, image, s.ImagesPerDay)
}

// GetImage returns an image to those who take part in the thread, or took part when it was uploaded.
func (s *Service) GetImage(ctx context.Context, actor Identity, id ThreadID, image string) (*Image, error) {
	a, err := s.reader(ctx, id, actor)
	if err != nil {
		return nil, err
	}
	i, err := s.store.Image(ctx, a.Thread.Key, image)
	switch {
	case err != nil:
		return nil, err
	case i.deleted():
		return nil, notFound("image is deleted")
	case a.Stay.Left != 0 && i.Roster >= a.Stay.Left:
		return nil, notFound("image is newer than the stay of the participant")
	}
	return i, nil
}

// DeleteImage removes an image of the actor; removing it again changes nothing. Messages that name it keep the name.
func (s *Service) DeleteImage(ctx context.Context, actor Identity, id ThreadID, image string) error {
	a, err := s.member(ctx, id, actor)
	if err != nil {
		return err
	}
	i, err := s.store.Image(ctx, a.Thread.Key, image)
	if err != nil {
		return err
	}
	if i.Owner != actor {
		return forbidden("The image was uploaded by somebody else.")
	}
	if i.deleted() {
		return nil
	}
	return s.store.DeleteImage(ctx, a.Thread.Key, image)
}
